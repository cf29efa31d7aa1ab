// Keys that every view knows, and the tip that says on hover and focus what a number is.

import { element } from "./elements.js";

const KEYS = [
  ["j, k", "go on to the next sample, item or evaluation; go back"],
  ["/", "write a filter"],
  ["d", "show or hide the differences of two replies"],
  ["1 … 5", "Scores, Compare, Samples, Cost, Provenance"],
  ["?", "this list"],
  ["Escape", "leave the filter, close the sample, go back to Scores"],
];

/** Listen for keys; `current` gives the view, `go` an address. */
export function listenForKeys(current, go, addresses) {
  const help = document.getElementById("help");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isWriting = event.target.matches?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") {
      if (help.open) return;
      if (isWriting) {
        event.target.blur();
        event.preventDefault(); // which would empty the filter
      }
      else if (!hideTip()) current()?.close?.();
      return;
    }
    if (isWriting || help.open) return;
    const act = {
      j: () => current()?.move?.(1),
      k: () => current()?.move?.(-1),
      d: () => document.querySelector("main button.difference")?.click(),
      "/": () => (current()?.search ?? (() => go("#/samples?find")))(),
      "?": () => openHelp(help),
    }[event.key];
    if (act) act();
    else if (addresses[Number(event.key) - 1]) go(addresses[Number(event.key) - 1]);
    else return;
    event.preventDefault();
  });
}

/** Show the list of keys. */
export function openHelp(help = document.getElementById("help")) {
  help.replaceChildren(
    element("h2", { id: "help-title" }, "Keys"),
    element("dl", { class: "keys" }, KEYS.map(([key, text]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, text)))),
    element("form", { method: "dialog" }, element("button", { autofocus: true }, "Close")),
  );
  help.showModal();
}

/** Show what `data-tip` says of an element that is hovered or focused. */
export function listenForTips() {
  const show = (event) => {
    const place = event.target.closest?.("[data-tip]");
    if (place) showTip(place);
    else hideTip();
  };
  document.addEventListener("mouseover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("scroll", hideTip, true);
}

function showTip(place) {
  const tip = document.getElementById("tip");
  tip.textContent = place.dataset.tip;
  tip.hidden = false;
  const box = place.getBoundingClientRect(), width = tip.offsetWidth, height = tip.offsetHeight;
  const below = box.bottom + 6 + height < innerHeight;
  tip.style.setProperty("left", `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`);
  tip.style.setProperty("top", `${below ? box.bottom + 6 : Math.max(8, box.top - height - 6)}px`);
}

function hideTip() {
  const tip = document.getElementById("tip");
  const wasShown = !tip.hidden;
  tip.hidden = true;
  return wasShown;
}

// Shows the view that the address names, `#/samples?mode=failed`, and goes on to others.

import { element, viewLink, visible } from "./elements.js";
import { listenForKeys, listenForTips, openHelp } from "./keyboard.js";
import { report } from "./report_data.js";
import { loadSamples } from "./sample_data.js";
import { showSample } from "./sample_view.js";
import { showSamples } from "./samples.js";
import { showScores } from "./scores.js";

const VIEWS = { "": "Scores", samples: "Samples" };
let view, shown = "";

function readAddress() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name, rest: rest.join("/"), query: new URLSearchParams(query), key: path };
}

/** Change the query of the address; the view is drawn anew unless it only opens a sample. */
function changeQuery(changes, isNew = true) {
  const { name, rest, query } = readAddress();
  for (const [key, value] of Object.entries(changes)) if (value === null) query.delete(key);
  else query.set(key, value);
  const text = query.toString(), path = [name, rest].filter(Boolean).join("/");
  const address = `#/${path}${text ? `?${text}` : ""}`;
  if (isNew) location.hash = address;
  else {
    history.replaceState(null, "", address);
    shown = location.hash;
    view.update?.(query);
  }
}

async function draw() {
  if (location.hash === shown) return;
  shown = location.hash;
  const { name, rest, query } = readAddress(), main = document.getElementById("main"), asked = shown;
  const before = view?.name;
  let found;
  if (name === "samples" || name === "sample") {
    if (before !== name) main.replaceChildren(element("p", { class: "small" }, "Reading samples…"));
    const samples = await loadSamples();
    if (shown !== asked) return;
    found = name === "samples" ? showSamples(query, samples, changeQuery) : showOne(samples, rest);
  } else found = showScores(query);
  view = { close: () => (location.hash = "#/"), ...found, name };
  const title = element("h2", { id: "view-title", tabindex: "-1" }, view.title);
  main.replaceChildren(title, view.node);
  drawLinks(name);
  if (before !== undefined && before !== name) (view.place ?? title).focus({ preventScroll: true });
  if (query.has("find")) view.search?.();
}

function showOne(samples, address) {
  const sample = samples.find(address);
  if (sample < 0) return { title: "Sample", node: element("p", {}, `There is no sample ${visible(address)} in this report.`) };
  const step = (by) => {
    const next = sample + by;
    if (next >= 0 && next < samples.count) location.hash = `#/sample/${samples.addressOf(next)}`;
  };
  return { title: "Sample", node: showSample(samples, sample), move: step, close: () => (location.hash = "#/samples") };
}

function drawHead() {
  document.getElementById("head").replaceChildren(
    element("h1", { dir: "auto" }, visible(report.title)),
    element("p", { class: "summary" }, visible(report.summary.join(" · "))),
    element("p", { class: "small plan" }, "Plan ", element("code", {}, report.plan.slice(0, 19))),
  );
}

function drawLinks(current) {
  const links = Object.entries(VIEWS).map(([name, label]) =>
    element("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null }, label),
  );
  const help = element("button", { type: "button", class: "quiet", onclick: () => openHelp() }, "Keys ", element("kbd", {}, "?"));
  document.getElementById("views").replaceChildren(...links, help);
}

drawHead();
listenForTips();
listenForKeys(() => view, (address) => (location.hash = address), Object.keys(VIEWS).map((name) => `#/${name}`));
addEventListener("hashchange", draw);
shown = "-";
draw();
loadSamples().then((samples) => {
  document.documentElement.dataset.samples = samples.count;
});

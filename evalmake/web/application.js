// Shows the view that the address names, `#/samples?mode=failed`, and goes on to others.

import { showCompare } from "./compare.js";
import { showCost } from "./cost.js";
import { decodePart, element, visible } from "./elements.js";
import { listenForKeys, listenForTips, openHelp } from "./keyboard.js";
import { report } from "./report_data.js";
import { addressOfCell, showProvenance } from "./provenance.js";
import { loadSamples, loadStories } from "./sample_data.js";
import { showSample } from "./sample_view.js";
import { showSamples } from "./samples.js";
import { showScores } from "./scores.js";

const VIEWS = { "": "Scores", compare: "Compare", samples: "Samples", cost: "Cost", provenance: "Provenance" };
const WITH_SAMPLES = ["compare", "samples", "sample", "cost"];
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
  const asked = (shown = location.hash), { name, rest, query } = readAddress(), before = view?.name;
  if (name === "cell") return location.replace(addressOfCell(decodePart(rest)));
  const found = await makeView(name, rest, query, before !== name);
  if (shown !== asked) return;
  view = { close: () => (location.hash = "#/"), ...found, name };
  const title = element("h2", { id: "view-title", tabindex: "-1" }, view.title);
  document.getElementById("main").replaceChildren(title, view.node);
  drawLinks(name);
  if (before !== undefined && before !== name) (view.place ?? title).focus({ preventScroll: true });
  view.shown?.();
  if (query.has("find")) {
    changeQuery({ find: null }, false);
    view.search?.();
  }
}

async function makeView(name, rest, query, isNew) {
  if (name === "provenance") return showProvenance(await loadStories(), query, changeQuery);
  if (!WITH_SAMPLES.includes(name)) return showScores(query);
  if (isNew) document.getElementById("main").replaceChildren(element("p", { class: "small" }, "Reading samples…"));
  const samples = await loadSamples();
  if (name === "samples") return showSamples(query, samples, changeQuery);
  if (name === "sample") return showOne(samples, rest);
  if (name === "cost") return showCost(samples);
  return showCompare(rest ? rest.split("/").map(decodePart) : [], query, samples, changeQuery);
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
    report.problems.length ? element("p", { class: "problems" }, report.problems.map(([text, address]) => [element("a", { href: address }, text), " "])) : "",
    element("p", { class: "small plan" }, "Plan ", element("code", {}, report.plan.slice(0, 19))),
  );
}

/** From what the system says, or was chosen, to the other. */
function changeTheme() {
  const { style } = document.documentElement, isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const shownNow = style.getPropertyValue("color-scheme") || (isDark ? "dark" : "light");
  style.setProperty("color-scheme", shownNow === "dark" ? "light" : "dark");
}

function drawLinks(current) {
  const links = Object.entries(VIEWS).map(([name, label]) =>
    element("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null }, label),
  );
  const help = element("button", { type: "button", class: "quiet", onclick: () => openHelp() }, "Keys ", element("kbd", {}, "?"));
  const theme = element("button", { type: "button", class: "quiet", onclick: changeTheme }, "light or dark");
  document.getElementById("views").replaceChildren(...links, element("span", { class: "right" }, theme, help));
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

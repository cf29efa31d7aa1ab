// Provenance: where a number comes from, and in what two evaluations differ.

import { element, encodePart, folded, textBlock, visible } from "./elements.js";
import { countOf, formatSeconds } from "./numbers.js";

/** The view; the query names one evaluation, and another to compare it with. */
export function showProvenance(stories, query, go) {
  const names = [...stories.keys()];
  if (!names.length) return { title: "Provenance", node: element("p", {}, "This page was written of results alone, without their stories.") };
  const one = stories.get(query.get("one")) ?? stories.get(names[0]), other = stories.get(query.get("other"));
  const pick = (label, key, chosen, empty) =>
    element(
      "label",
      {},
      `${label} `,
      element("select", { onchange: (event) => go({ [key]: event.target.value || null }) }, empty ? element("option", { value: "" }, empty) : null, names.map((value) => element("option", { value, selected: value === chosen }, visible(value)))),
    );
  const step = (by) => {
    const next = names.indexOf(one.name) + by;
    if (names[next]) go({ one: names[next] });
  };
  return {
    title: "Provenance",
    move: step,
    node: element(
      "div",
      {},
      element("div", { class: "places" }, pick("evaluation", "one", one.name), pick("against", "other", other?.name, "none")),
      other ? drawDifferences(one, other) : null,
      one.sections.map(drawSection),
      drawAttempts(one),
      folded(`Everything that its identity is made of: ${countOf(Object.values(one.identity).flat().length, "entry").replace("entrys", "entries")}`, () => drawIdentity(one)),
    ),
  };
}

/** The address of the provenance of an evaluation. */
export function addressOfCell(name) {
  return `#/provenance?one=${encodePart(name)}`;
}

function drawSection([title, lines]) {
  return element("section", {}, element("h3", { dir: "auto" }, visible(title)), element("ul", { class: "story" }, lines.map(([mark, text]) => element("li", {}, mark ? element("b", {}, `${visible(mark)} `) : null, visible(text)))));
}

function drawAttempts(story) {
  if (!story.attempts.length) return null;
  const heads = ["attempt", "ended", "started (UTC)", "took", "executor", "what was different"];
  const lines = story.attempts.map((one) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, String(one.attempt), one.counts ? element("span", { class: "small" }, " counts") : null),
      element("td", {}, one.status, one.detail ? element("div", { class: "small" }, visible(one.detail)) : null),
      element("td", {}, one.started.slice(0, 19).replace("T", " ")),
      element("td", {}, formatSeconds(one.seconds)),
      element("td", {}, visible(one.executor)),
      element("td", {}, one.changes.length ? one.changes.map(([path, how]) => element("div", {}, visible(`${path}: ${how}`))) : "–"),
    ),
  );
  const table = element("table", { class: "plain" }, element("thead", {}, element("tr", {}, heads.map((name) => element("th", { scope: "col" }, name)))), element("tbody", {}, lines));
  return element("section", {}, element("h3", {}, "Attempts"), element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Attempts" }, table));
}

function drawIdentity(story) {
  return Object.entries(story.identity).map(([part, pairs]) => [element("h4", {}, visible(part)), textBlock(pairs.map(([path, text]) => `${path} = ${text}`).join("\n"))]).flat();
}

/** The entries of both identities that are not the same. */
function drawDifferences(one, other) {
  const [ours, theirs] = [one, other].map((story) => new Map(Object.entries(story.identity).flatMap(([part, pairs]) => pairs.map(([path, text]) => [`${part}: ${path}`, text]))));
  const paths = [...new Set([...ours.keys(), ...theirs.keys()])].filter((path) => ours.get(path) !== theirs.get(path)).sort();
  const heads = ["what", one.name, other.name];
  const body = paths.map((path) => element("tr", {}, element("th", { scope: "row" }, visible(path)), [ours, theirs].map((side) => element("td", { class: "entry" }, visible(side.get(path) ?? "(none)")))));
  const table = element("table", { class: "plain" }, element("thead", {}, element("tr", {}, heads.map((text) => element("th", { scope: "col" }, visible(text))))), element("tbody", {}, body));
  return element("section", {}, element("h3", {}, paths.length ? "In what the two differ" : "The two do not differ in what they are"), paths.length ? element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Differences" }, table) : null);
}

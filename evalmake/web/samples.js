// Samples: modes with counts, a filter, the list, and the chosen sample beside it.

import { element } from "./elements.js";
import { formatCount } from "./numbers.js";
import { columns, report, rows } from "./report_data.js";
import { explainNoTexts, FAILED, TRUNCATED, UNSCORED } from "./sample_data.js";
import { SampleFilter } from "./sample_filter.js";
import { SampleList } from "./sample_list.js";
import { showSample } from "./sample_view.js";

const MODES = {
  all: ["All", () => true],
  failed: ["Failed", (samples, sample) => samples.state[sample] & FAILED],
  unscored: ["Unscored", (samples, sample) => samples.state[sample] & UNSCORED],
  different: ["Different", (samples, sample) => findDifferent().has(samples.item[sample])],
  truncated: ["Truncated", (samples, sample) => samples.state[sample] & TRUNCATED],
};

let different;

/** The items that do not score the same in all rows of a column. */
function findDifferent() {
  if (different) return different;
  different = new Set();
  for (const column of columns) {
    const seen = new Map();
    for (const one of report.item_means.filter((means) => means.column === column))
      one.items.forEach((item, place) => {
        if (!seen.has(item)) seen.set(item, one.means[place]);
        else if (Math.abs(seen.get(item) - one.means[place]) > 1e-12) different.add(item);
      });
  }
  return different;
}

/** The view; `go` changes the query of its address. */
export function showSamples(query, samples, go) {
  const mode = MODES[query.get("mode")] ? query.get("mode") : "all";
  const inPlace = choosePlace(samples, query);
  const chosen = inPlace.filter((one) => MODES[mode][1](samples, one));
  const side = element("section", { class: "side", "aria-label": "Sample" });
  const list = new SampleList(samples, (sample) => go({ sample: samples.addressOf(sample) }, false));
  const open = (sample) => side.replaceChildren(sample >= 0 ? showSample(samples, sample) : element("p", { class: "small" }, "Choose a sample: j and k go on and back."));
  const at = query.has("sample") ? samples.find(query.get("sample")) : -1;
  const filter = new SampleFilter(query.get("where") ?? "", samples, (text) => go({ where: text || null }, false));
  const apply = (mark) => filter.apply(chosen, (found, note) => list.list(found, mark, note));
  const node = element(
    "div",
    {},
    element("div", { class: "tools" }, drawModes(samples, inPlace, mode, go), drawPlaces(query, go)),
    filter.node,
    samples.hasTexts ? null : element("p", { class: "note" }, explainNoTexts()),
    element("div", { class: "split" }, list.node, side),
  );
  apply(at);
  open(at);
  return {
    title: "Samples",
    node,
    move: (step) => list.move(step),
    search: () => filter.focus(),
    close: () => (query.has("sample") || side.querySelector("article") ? go({ sample: null }, false) : (location.hash = "#/")),
    update: (changed) => {
      const sample = changed.has("sample") ? samples.find(changed.get("sample")) : -1;
      if (filter.isChanged(changed.get("where") ?? "")) apply(sample);
      else open(sample);
    },
    place: list.body,
  };
}

function drawModes(samples, inPlace, mode, go) {
  const buttons = Object.entries(MODES).map(([name, [label, holds]]) => {
    const count = inPlace.reduce((sum, one) => sum + (holds(samples, one) ? 1 : 0), 0);
    const press = () => go({ mode: name === "all" ? null : name, sample: null });
    return element("button", { type: "button", "aria-pressed": String(name === mode), onclick: press }, `${label} `, element("span", { class: "small" }, formatCount(count)));
  });
  return element("div", { class: "modes", role: "group", "aria-label": "Which samples" }, buttons);
}

/** The samples of the row and column that the address names. */
function choosePlace(samples, query) {
  const wanted = new Set(
    report.table
      .filter((cell) => (!query.has("row") || cell.row === query.get("row")) && (!query.has("column") || cell.column === query.get("column")))
      .flatMap((cell) => cell.cells)
      .filter((name) => !query.has("cell") || name === query.get("cell")),
  );
  const isWanted = samples.cells.map((name) => wanted.has(name));
  return Array.from({ length: samples.count }, (_, sample) => sample).filter((sample) => isWanted[samples.cell[sample]]);
}

function drawPlaces(query, go) {
  const pick = (name, label, values) =>
    element(
      "label",
      {},
      `${label} `,
      element(
        "select",
        { onchange: (event) => go({ [name]: event.target.value || null, sample: null }) },
        element("option", { value: "" }, "all"),
        values.map((value) => element("option", { value, selected: query.get(name) === value }, value)),
      ),
    );
  return element("div", { class: "places" }, pick("row", report.rows, rows), pick("column", report.column, columns));
}

// Scores: each row's estimates with their intervals, and gates with what decided them.

import { element, encodePart, folded, textBlock, viewLink, visible } from "./elements.js";
import { drawHeatMap } from "./heat_map.js";
import { drawInterval, makeAxis } from "./interval_bars.js";
import { countOf } from "./numbers.js";
import { cellOf, report } from "./report_data.js";

const MARKS = { met: "✓", "not met": "✗", "not judged": "?" };

/** The view. */
export function showScores(query) {
  const parts = [
    drawForms(query),
    ...report.sections.map((section) => drawSection(section, query)),
    report.sections.length ? null : element("p", {}, "No evaluation has a result yet."),
    drawGates(),
    drawMissing(),
    drawNotes(),
    drawOthers(),
    drawLegend(),
  ];
  const node = element("div", {}, parts);
  const place = { gates: "#gates", missing: "#missing" }[query.get("to")];
  return { title: "Scores", node, shown: () => place && node.querySelector(place)?.scrollIntoView() };
}

/** Which drawing of the same data is shown. */
function drawForms(query) {
  const isHeat = query.get("as") === "heat-map";
  const link = (address, label, isCurrent) => element("a", { href: address, class: "form", "aria-current": isCurrent ? "true" : null }, label);
  return element("p", { class: "forms" }, link("#/", "Intervals", !isHeat), link("#/?as=heat-map", "Heat map", isHeat), isHeat ? element("span", { class: "small" }, "The more colour, the higher, within a column. Small squares are seeds.") : null);
}

function drawSection(section, query) {
  if (query.get("as") === "heat-map") return drawFrame(section, drawHeatMap(section, describeCell));
  const names = [...section.columns, ...section.groups];
  const axes = new Map(names.map((name) => [name, makeColumnAxis(section.rows, name)]));
  const ordered = sortRows(section.rows, query.get("by"));
  const head = element("tr", {}, element("th", { scope: "col" }, report.rows), names.map((name) => drawColumnHead(name, axes.get(name), query)));
  const body = ordered.map((row) =>
    element("tr", {}, element("th", { scope: "row", dir: "auto" }, visible(row)), names.map((name) => drawCell(cellOf(row, name), axes.get(name)))),
  );
  const table = element("table", { class: "scores" }, element("caption", { class: "off-screen" }, section.title || "Scores"), element("thead", {}, head), element("tbody", {}, body));
  return drawFrame(section, table);
}

function drawFrame(section, table) {
  return [
    section.title ? element("h3", { dir: "auto" }, visible(section.title)) : null,
    element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": section.title || "Scores" }, table),
  ];
}

function makeColumnAxis(rowNames, column) {
  const known = rowNames.map((row) => cellOf(row, column)).filter(Boolean);
  const bounds = known.flatMap((cell) => gatesOf(cell).map((gate) => gate.bound));
  return makeAxis([...known.flatMap((cell) => [cell.mean, cell.low, cell.high]), ...bounds]);
}

/** The gates that compare the headline of a cell with a number. */
function gatesOf(cell) {
  return (cell.gates ?? []).map((place) => report.gates[place]).filter((gate) => !gate.than && gate.metric === cell.metric);
}

function sortRows(rowNames, column) {
  if (!column) return rowNames;
  const valueOf = (row) => cellOf(row, column)?.mean ?? -Infinity;
  return [...rowNames].sort((one, other) => valueOf(other) - valueOf(one));
}

function drawColumnHead(name, axis, query) {
  const isSorted = query.get("by") === name;
  const ends = axis ? element("span", { class: "ends", "aria-hidden": "true" }, element("span", {}, trim(axis.low)), element("span", {}, trim(axis.high))) : null;
  return element(
    "th",
    { scope: "col", "aria-sort": isSorted ? "descending" : null },
    viewLink(isSorted ? "#/" : `#/?by=${encodePart(name)}`, visible(name), isSorted ? " ↓" : ""),
    ends,
  );
}

function trim(number) {
  return String(Number(number.toPrecision(2)));
}

function drawCell(cell, axis) {
  if (!cell) return element("td", { class: "none" }, "–");
  const isBest = report.leaders[cell.column] === cell.row;
  const gates = gatesOf(cell);
  const marks = gates.map((gate) => ({ value: gate.bound, kind: gate.verdict.replace(" ", "-") }));
  const count = cell.runs > 1 ? `n ${cell.samples} × ${cell.runs}` : cell.samples ? `n ${cell.samples}` : "";
  return element(
    "td",
    { "data-tip": describeCell(cell), tabindex: "0" },
    element("span", { class: "estimate" }, element("b", {}, cell.value), " ", element("span", { class: "bounds" }, cell.interval), isBest ? element("span", { class: "best" }, " best") : null),
    axis ? drawInterval(axis, cell, marks) : null,
    element("span", { class: "small" }, [count, cell.unscored ? `, ${cell.unscored} unscored` : "", gates.map((gate) => element("span", { class: `badge ${gate.verdict.replace(" ", "-")}` }, ` ${MARKS[gate.verdict]} ${gate.op} ${gate.bound}`))]),
  );
}

/** All that is to be known of an estimate, in words. */
function describeCell(cell) {
  const lines = [
    `${cell.row}, ${cell.column}`,
    `${cell.metric} ${cell.value}${cell.interval ? ` ${cell.interval} at ${cell.confidence_text} confidence` : ""}`,
  ];
  if (cell.samples) lines.push(`${countOf(cell.samples, "sample")}${cell.runs > 1 ? ` in each of ${cell.runs} runs` : ""}`);
  if (cell.kind) lines.push(cell.kind);
  if (cell.mean !== null) lines.push(report.terms.bases[cell.basis] ?? "");
  if (cell.lack) lines.push(cell.lack);
  return [...lines, ...cell.notes.map((note) => note.text)].filter(Boolean).join("\n");
}

function drawGates() {
  if (!report.gates.length) return null;
  const rows = report.gates.map((gate) =>
    element(
      "li",
      { class: `gate ${gate.verdict.replace(" ", "-")}` },
      element("b", { class: "badge" }, `${MARKS[gate.verdict]} ${gate.verdict}`),
      " ",
      element("code", {}, visible(gate.address)),
      " ",
      visible(gate.requirement),
      element("div", { class: "why" }, visible(gate.message), gate.detail ? element("span", { class: "small" }, ` (${visible(gate.detail)})`) : null),
    ),
  );
  return [element("h3", { id: "gates" }, "Gates, and what decided them"), element("ul", { class: "gates" }, rows)];
}

function drawMissing() {
  if (!report.missing.length) return null;
  const rows = report.missing.map((one) =>
    element(
      "li",
      {},
      element("code", {}, visible(one.name)),
      `: ${one.kind}: ${visible(one.reason)}`,
      one.log.length ? folded("the last lines of its log", () => textBlock(one.log.join("\n"))) : null,
    ),
  );
  return [element("h3", { id: "missing" }, `${countOf(report.missing.length, "evaluation")} without a result`), element("ul", {}, rows)];
}

function drawNotes() {
  const noted = [...report.table, ...report.averages].filter((cell) => cell.notes.length || (cell.lack && cell.mean === null));
  if (!noted.length) return null;
  const rows = noted.map((cell) => {
    const texts = cell.notes.map((note) => note.text);
    return element("li", {}, element("b", {}, visible(cell.row)), `, ${visible(cell.column)}: `, visible([...texts, ...(cell.mean === null && cell.lack ? [cell.lack] : [])].join("; ")));
  });
  return [element("h3", { id: "notes" }, "What to know of these scores"), element("ul", {}, rows)];
}

function drawOthers() {
  if (!report.others.length) return null;
  return folded(`${countOf(report.others.length, "estimate")} by other metrics`, () =>
    element(
      "table",
      { class: "plain" },
      element("thead", {}, element("tr", {}, [report.rows, report.column, "metric", "value"].map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, report.others.map((cell) => element("tr", {}, [cell.row, cell.column, cell.metric, `${cell.value} ${cell.interval}`].map((text) => element("td", {}, visible(text)))))),
    ),
  );
}

function drawLegend() {
  const used = [...new Set(report.table.filter((cell) => cell.mean !== null).map((cell) => cell.basis))];
  const lines = used.map((basis) => report.terms.bases[basis]).filter(Boolean);
  if (!lines.length) return null;
  return [
    element("h3", {}, "How to read the intervals"),
    element("ul", { class: "legend" }, [`Brackets and bars are ${report.confidence} confidence intervals, unless they say otherwise. A row is marked as the best of a column where it is shown to be better than each other row.`, ...lines].map((line) => element("li", {}, line))),
  ];
}

// Compare: two rows, column by column, and the items that scored otherwise, losses first.

import { element, encodePart, visible } from "./elements.js";
import { drawInterval, makeAxis } from "./interval_bars.js";
import { countOf, formatCount, formatDifference } from "./numbers.js";
import { cellOf, itemMeansOf, pairOf, report, rows } from "./report_data.js";
import { RowList } from "./row_list.js";
import { FAILED, UNSCORED } from "./sample_data.js";
import { drawScatter } from "./scatter.js";
import { drawReplies } from "./two_replies.js";

const COLUMNS = ["item", "benchmark", "prompt", "before", "after", "target", "scores"];
const MODES = {
  different: ["Different", (one) => Math.abs(one.change) > 1e-12],
  failures: ["Failures", (one) => one.hasFailed],
  unscored: ["Unscored", (one) => one.isUnscored],
  all: ["All", () => true],
};

/** The address of a comparison. */
export function addressOfPair(row, baseline) {
  return `#/compare/${encodePart(row)}/${encodePart(baseline)}`;
}

/** The view; `names` are the row and the one that it is compared with. */
export function showCompare(names, query, samples, go) {
  const baseline = names[1] ?? (rows.includes(report.compare) ? report.compare : rows[0]);
  const row = names[0] ?? rows.find((one) => one !== baseline) ?? baseline;
  const head = element("div", { class: "tools" }, drawPickers(row, baseline));
  const found = pairOf(row, baseline);
  if (!found) {
    const why = rows.length < 2 ? "A comparison needs two rows, and this report has one." : row === baseline ? "Choose two rows." : "These two rows have no column in common, or the report has too many rows to compare all.";
    return { title: "Compare", node: element("div", {}, head, element("p", {}, why)) };
  }
  const columns = found.pair.columns.map((one) => (found.isReversed ? reverse(one) : one));
  const flips = listItems(row, baseline, columns, samples);
  return { title: "Compare", ...drawBody(head, row, baseline, columns, flips, query, samples, go) };
}

/** The same comparison with the rows the other way round. */
function reverse(one) {
  const turn = (number) => (number === null ? null : -number);
  return { ...one, difference: turn(one.difference), low: turn(one.high), high: turn(one.low), higher: one.lower, lower: one.higher, verdict: one.reverse, reverse: one.verdict };
}

function drawPickers(row, baseline) {
  const pick = (label, chosen, change) =>
    element("label", {}, `${label} `, element("select", { onchange: (event) => (location.hash = change(event.target.value)) }, rows.map((value) => element("option", { value, selected: value === chosen }, visible(value)))));
  const swap = element("button", { type: "button", onclick: () => (location.hash = addressOfPair(baseline, row)) }, "swap");
  return element("div", { class: "places" }, pick(report.rows, row, (value) => addressOfPair(value, baseline)), pick("against", baseline, (value) => addressOfPair(row, value)), swap);
}

function drawBody(head, row, baseline, columns, items, query, samples, go) {
  const mode = MODES[query.get("mode")] ? query.get("mode") : "different";
  const chosen = items.filter(MODES[mode][1]);
  const side = element("section", { class: "side", "aria-label": "Item" });
  const open = (place) => side.replaceChildren(drawReplies(samples, chosen[place], [baseline, row]));
  const list = new RowList({ label: "Items", columns: COLUMNS, describe: (place) => describeItem(samples, chosen[place]), onopen: open });
  const buttons = Object.entries(MODES).map(([name, [label, holds]]) =>
    element("button", { type: "button", "aria-pressed": String(name === mode), onclick: () => go({ mode: name === "different" ? null : name }) }, `${label} `, element("span", { class: "small" }, formatCount(items.filter(holds).length))),
  );
  side.append(element("p", { class: "small" }, "Choose an item: j and k go on and back, d shows the words that differ."));
  list.show(chosen.length, -1, `${countOf(chosen.length, "item")} of ${formatCount(items.length)}, those first that ${row} lost`);
  const node = element(
    "div",
    {},
    head,
    drawDifferences(columns),
    drawTable(row, baseline, columns),
    drawScatters(row, baseline, columns, items),
    element("div", { class: "tools" }, element("div", { class: "modes", role: "group", "aria-label": "Which items" }, buttons)),
    element("div", { class: "split" }, list.node, side),
  );
  return { node, move: (step) => list.move(step), place: list.body };
}

/** What else differs between the two, above the numbers. */
function drawDifferences(columns) {
  const texts = [...new Set(columns.flatMap((one) => one.differences.map((text) => text)))];
  if (!texts.length) return null;
  return element("p", { class: "note" }, "Beside the rows' names, these differ: ", visible(texts.join("; ")), ".");
}

function drawTable(row, baseline, columns) {
  const axis = makeAxis([0, ...columns.flatMap((one) => [one.difference, one.low, one.high])], 200);
  const lines = columns.map((one) => {
    const [verdict, reason] = one.verdict;
    const number = one.difference === null ? "–" : formatDifference(one.difference, one.digits);
    const bounds = one.low === null ? "" : ` [${formatDifference(one.low, one.digits)}, ${formatDifference(one.high, one.digits)}]`;
    return element(
      "tr",
      {},
      element("th", { scope: "row", dir: "auto" }, visible(one.column), element("div", { class: "small" }, visible(one.metric))),
      element("td", {}, [baseline, row].map((name) => cellOf(name, one.column)?.value ?? "–").join(" → ")),
      element("td", { "data-tip": `${report.terms.tests[one.test] ?? ""}\n${report.terms.paired}`, tabindex: "0" }, element("span", { class: "estimate" }, element("b", {}, number), element("span", { class: "bounds" }, bounds)), one.difference === null ? null : drawInterval(axis, { ...one, mean: one.difference }, [{ value: 0, kind: "zero" }])),
      element("td", {}, one.higher === null ? "not paired" : `${one.higher} / ${one.lower} / ${one.same}`),
      element("td", {}, one.p_holm, element("div", { class: "small" }, one.compared > 1 ? `of ${one.compared}; alone ${one.p}` : "")),
      element("td", { class: `verdict-${verdict.toLowerCase()}` }, element("b", {}, verdict.toLowerCase()), element("div", { class: "small reason" }, [reason, ...one.notes].join(". "))),
    );
  });
  const heads = [report.column, `${baseline} → ${row}`, "difference", "higher / lower / same", "p (Holm)", "verdict"];
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Differences" }, element("table", { class: "differences" }, element("thead", {}, element("tr", {}, heads.map((name) => element("th", { scope: "col" }, visible(name))))), element("tbody", {}, lines)));
}

/** A drawing for each column in which items have other means than 0 and 1. */
function drawScatters(row, baseline, columns, items) {
  const drawings = columns.map((one) => drawScatter(one.column, items.filter((item) => item.column === one.column), baseline, row)).filter(Boolean);
  if (!drawings.length) return null;
  const summary = element("summary", {}, "The items of each column as points");
  return element("details", {}, summary, element("div", { class: "scatters" }, drawings));
}

/** Every item of both rows, by the means that Python computed; the largest losses of `row` come first. */
function listItems(row, baseline, columns, samples) {
  const found = [];
  for (const { column } of columns) {
    const [after, before] = [itemMeansOf(row, column), itemMeansOf(baseline, column)];
    const [ours, theirs] = [row, baseline].map((name) => groupSamples(samples, cellOf(name, column).cells));
    const sign = cellOf(row, column).better === "lower" ? -1 : 1;
    for (const item of new Set([...theirs.keys(), ...ours.keys()])) {
      const a = after?.get(item), b = before?.get(item), both = [...(theirs.get(item) ?? []), ...(ours.get(item) ?? [])];
      const change = a === undefined || b === undefined ? 0 : sign * (a - b);
      found.push({
        item, column, before: b, after: a, change, theirs: pick(samples, theirs.get(item), change < 0), ours: pick(samples, ours.get(item), change > 0),
        hasFailed: both.some((one) => samples.state[one] & FAILED), isUnscored: both.some((one) => samples.state[one] & UNSCORED),
      });
    }
  }
  return found.sort((one, other) => one.change - other.change || one.item - other.item);
}

/** The samples of some evaluations by item. */
function groupSamples(samples, names) {
  const wanted = samples.cells.map((name) => names.includes(name)), groups = new Map();
  for (let one = 0; one < samples.count; one++) {
    if (!wanted[samples.cell[one]]) continue;
    if (groups.has(samples.item[one])) groups.get(samples.item[one]).push(one);
    else groups.set(samples.item[one], [one]);
  }
  return groups;
}

/** Of several runs' samples the one that shows the change best: of the side that scored higher, its best. */
function pick(samples, group, highest) {
  if (!group) return -1;
  const sign = highest ? -1 : 1;
  return [...group].sort((one, other) => sign * ((samples.score[one] || 0) - (samples.score[other] || 0)))[0];
}

function describeItem(samples, one) {
  const known = one.theirs >= 0 ? one.theirs : one.ours, [prompt, target] = samples.headOf(known);
  const score = (mean) => (mean === undefined ? "–" : String(Number(mean.toPrecision(2))));
  return {
    mark: one.change < 0 ? "lost" : one.change > 0 ? "won" : "",
    texts: [samples.items[one.item], one.column, prompt, samples.answers[one.theirs] ?? "", samples.answers[one.ours] ?? "", target, `${score(one.before)} → ${score(one.after)}`],
  };
}

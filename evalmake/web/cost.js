// Cost: what evaluations used, and how latency and lengths are distributed.

import { element, encodePart, viewLink, visible } from "./elements.js";
import { drawDistributions } from "./histograms.js";
import { formatCount, formatSeconds } from "./numbers.js";
import { cellOf, columns, report, rows } from "./report_data.js";

const COLUMNS = [
  ["requests", (usage) => usage.requests],
  ["from cache", (usage) => usage.cached],
  ["sent again", (usage) => usage.retried ?? usage.retries],
  ["errors", (usage) => usage.errors],
  ["tokens in", (usage) => usage.tokens_in],
  ["tokens out", (usage) => usage.tokens_out],
  ["of them reasoning", (usage) => usage.tokens_reasoning],
  ["cut off", (usage) => usage.replies_truncated],
];

/** The view. */
export function showCost(samples) {
  const used = COLUMNS.filter(([, read]) => report.results.some((one) => read(one.usage)));
  const hasCost = report.results.some((one) => one.cost_text);
  const heads = ["evaluation", ...(hasCost ? ["cost"] : []), "took", ...used.map(([name]) => name)];
  const number = (value) => element("td", { class: "number" }, value === undefined ? "–" : formatCount(value));
  const lines = report.results.map((one) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, viewLink(`#/cell/${one.name.split("/").map(encodePart).join("/")}`, visible(one.name))),
      hasCost ? element("td", { class: "number" }, one.cost_text || "–") : null,
      element("td", { class: "number" }, formatSeconds(one.seconds)),
      used.map(([, read]) => number(read(one.usage))),
    ),
  );
  const sums = element(
    "tr",
    { class: "sum" },
    element("th", { scope: "row" }, "all"),
    hasCost ? element("td", { class: "number" }, report.cost_text) : null,
    element("td", { class: "number" }, formatSeconds(report.results.reduce((sum, one) => sum + one.seconds, 0))),
    used.map(([, read]) => number(report.results.reduce((sum, one) => sum + (read(one.usage) ?? 0), 0))),
  );
  const table = element("table", { class: "plain" }, element("thead", {}, element("tr", {}, heads.map((name) => element("th", { scope: "col" }, name)))), element("tbody", {}, lines, sums));
  return {
    title: "Cost",
    node: element(
      "div",
      {},
      drawDistributions("Latency, seconds", groupByRow(samples, samples.latency), formatSeconds),
      drawDistributions("Length of replies, tokens", groupByRow(samples, samples.tokensOut), formatCount),
      drawDistributions("Length of prompts, tokens", groupByRow(samples, samples.tokensIn), formatCount),
      element("h3", {}, "By evaluation"),
      hasCost ? null : element("p", { class: "small" }, "No model has a price, so what this cost is not known."),
      element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "By evaluation" }, table),
    ),
  };
}

/** The values of a column of all samples, by the row of the table that they are of. */
function groupByRow(samples, values) {
  const rowOf = new Map(rows.flatMap((row) => columns.flatMap((column) => (cellOf(row, column)?.cells ?? []).map((name) => [name, row]))));
  const groups = new Map(rows.map((row) => [row, []]));
  const ofCell = samples.cells.map((name) => groups.get(rowOf.get(name)));
  for (let one = 0; one < samples.count; one++) ofCell[samples.cell[one]]?.push(values[one]);
  return [...groups];
}

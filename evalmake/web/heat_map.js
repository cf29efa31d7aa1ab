// The same scores as a heat map: each cell by its score, and in it each seed.

import { element, visible } from "./elements.js";
import { cellOf, report, resultOf } from "./report_data.js";

/** The table of one section; `describe` says on hover and focus what an estimate is. */
export function drawHeatMap(section, describe) {
  const names = [...section.columns, ...section.groups];
  const head = element("tr", {}, element("th", { scope: "col" }, report.rows), names.map((name) => element("th", { scope: "col", dir: "auto" }, visible(name))));
  const body = section.rows.map((row) =>
    element("tr", {}, element("th", { scope: "row", dir: "auto" }, visible(row)), names.map((name) => drawCell(cellOf(row, name), rangeOf(section.rows, name), describe))),
  );
  return element("table", { class: "heat" }, element("caption", { class: "off-screen" }, "Heat map"), element("thead", {}, head), element("tbody", {}, body));
}

/** The least and greatest score of a column, of its seeds, too. */
function rangeOf(rowNames, column) {
  const cells = rowNames.map((row) => cellOf(row, column)).filter(Boolean);
  const known = cells.flatMap((cell) => [cell.mean, ...(cell.cells ?? []).map((name) => resultOf(name)?.headline?.value)]).filter((one) => typeof one === "number");
  return [Math.min(...known), Math.max(...known)];
}

function drawCell(cell, range, describe) {
  if (!cell) return element("td", { class: "none" }, "–");
  const seeds = (cell.cells ?? []).map(resultOf).filter(Boolean);
  return element(
    "td",
    { tabindex: "0", "data-tip": describe(cell), style: { "background-color": shade(cell.mean, range) } },
    element("b", {}, cell.value),
    seeds.length > 1 ? element("div", { class: "seeds" }, seeds.map((one) => drawSeed(one, range))) : null,
  );
}

function drawSeed(result, range) {
  const value = result.headline?.value ?? null, n = result.headline?.scored;
  const tip = `${result.name}\n${result.metric} ${result.value} ${result.interval}${n ? `\nn ${n}` : ""}`;
  return element("span", { class: "seed", role: "img", tabindex: "0", "aria-label": tip, "data-tip": tip, style: { "background-color": shade(value, range) } });
}

/** A tint that leaves text on it legible in both themes. */
function shade(value, [low, high]) {
  if (typeof value !== "number") return "transparent";
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return `color-mix(in oklab, var(--blue) ${Math.round(4 + share * 44)}%, var(--ground))`;
}

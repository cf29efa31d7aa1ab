// Distributions: how many samples of each row took so long, or so many tokens.

import { element, shape, visible } from "./elements.js";
import { countOf } from "./numbers.js";
import { report } from "./report_data.js";

const BINS = 30, WIDTH = 300, HEIGHT = 48;

/** A line for each row: a histogram on a shared axis, with the median and the 95th percentile in words. */
export function drawDistributions(title, groups, format) {
  const known = groups.map(([name, values]) => [name, values.filter((one) => Number.isFinite(one) && one >= 0).sort((a, b) => a - b)]).filter(([, values]) => values.length);
  if (!known.length) return null;
  const most = Math.max(...known.map(([, values]) => values.at(-1))) || 1;
  const lines = known.map(([name, values]) => {
    const tip = `${name}: ${countOf(values.length, "sample")}, median ${format(quantile(values, 0.5))}, 95 % below ${format(quantile(values, 0.95))}, longest ${format(values.at(-1))}`;
    return element(
      "tr",
      {},
      element("th", { scope: "row", dir: "auto" }, visible(name)),
      element("td", { tabindex: "0", "data-tip": tip }, drawBars(values, most)),
      element("td", {}, format(quantile(values, 0.5))),
      element("td", {}, format(quantile(values, 0.95))),
      element("td", {}, format(values.at(-1))),
    );
  });
  const heads = [report.rows, `0 to ${format(most)}`, "median", "95 % below", "most"];
  const table = element("table", { class: "plain" }, element("thead", {}, element("tr", {}, heads.map((text) => element("th", { scope: "col" }, text)))), element("tbody", {}, lines));
  return [element("h3", {}, title), element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": title }, table)];
}

/** The least value that so large a share of sorted values does not exceed. */
function quantile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

function drawBars(sorted, most) {
  const counts = new Array(BINS).fill(0);
  for (const value of sorted) counts[Math.min(BINS - 1, Math.floor((value / most) * BINS))]++;
  const highest = Math.max(...counts), width = WIDTH / BINS;
  const drawing = shape("svg", { class: "histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
  counts.forEach((count, place) => {
    const height = count ? Math.max(2, (count / highest) * (HEIGHT - 2)) : 0;
    drawing.append(shape("rect", { x: place * width + 0.5, y: HEIGHT - height, width: width - 1, height }));
  });
  drawing.append(shape("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }));
  return drawing;
}

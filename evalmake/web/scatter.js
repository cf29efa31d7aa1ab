// Each item of a comparison as a point: its mean score on one side, and on the other.

import { element, shape, visible } from "./elements.js";
import { countOf } from "./numbers.js";

const SIZE = 160, MARGIN = 8, STEPS = 20;

/** A drawing of the items of one column; points of more items are larger. Null where scores are only 0 and 1. */
export function drawScatter(column, items, baseline, row) {
  const known = items.filter((one) => one.before !== undefined && one.after !== undefined);
  const values = known.flatMap((one) => [one.before, one.after]);
  if (!values.some((value) => value !== 0 && value !== 1)) return null;
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  const place = (value) => MARGIN + ((value - low) / span) * (SIZE - 2 * MARGIN);
  const points = new Map();
  for (const one of known) {
    const [x, y] = [one.before, one.after].map((value) => Math.round(((value - low) / span) * STEPS));
    const key = x * (STEPS + 1) + y;
    points.set(key, (points.get(key) ?? 0) + 1);
  }
  const most = Math.max(...points.values());
  const text = `${column}: ${countOf(known.length, "item")}; to the right ${baseline}, upwards ${row}; above the line ${row} is higher`;
  const drawing = shape("svg", { class: "scatter", viewBox: `0 0 ${SIZE} ${SIZE}`, width: SIZE, height: SIZE, role: "img", "aria-label": text });
  drawing.append(shape("rect", { class: "frame", x: 0.5, y: 0.5, width: SIZE - 1, height: SIZE - 1 }), shape("line", { class: "axis", x1: MARGIN, y1: SIZE - MARGIN, x2: SIZE - MARGIN, y2: MARGIN }));
  for (const [key, count] of points) {
    const x = low + (Math.floor(key / (STEPS + 1)) / STEPS) * span, y = low + ((key % (STEPS + 1)) / STEPS) * span;
    drawing.append(shape("circle", { class: "point", cx: place(x), cy: SIZE - place(y), r: 2 + 7 * Math.sqrt(count / most) }));
  }
  return element("figure", { "data-tip": text, tabindex: "0" }, drawing, element("figcaption", { class: "small", dir: "auto" }, visible(column)));
}

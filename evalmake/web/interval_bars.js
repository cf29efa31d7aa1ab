// Draws estimates with their intervals on an axis that several share.

import { shape } from "./elements.js";

const HEIGHT = 20, MARGIN = 6;

/** The axis that holds all of these numbers, with some room; null for none. */
export function makeAxis(numbers, width = 160) {
  const known = numbers.filter((one) => typeof one === "number");
  if (!known.length) return null;
  let low = Math.min(...known), high = Math.max(...known);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  const isShare = low >= 0 && high <= 1;
  low = isShare ? Math.max(0, low - room) : low - room;
  high = isShare ? Math.min(1, high + room) : high + room;
  const place = (value) => MARGIN + ((value - low) / (high - low)) * (width - 2 * MARGIN);
  return { low, high, width, place };
}

/** A dot with the bar of its interval; `marks` are values with a line of their own, such as bounds of gates. */
export function drawInterval(axis, one, marks = []) {
  const middle = HEIGHT / 2;
  const drawing = shape("svg", {
    class: "interval", viewBox: `0 0 ${axis.width} ${HEIGHT}`, width: axis.width, height: HEIGHT, "aria-hidden": "true",
  });
  drawing.append(shape("line", { class: "axis", x1: MARGIN, x2: axis.width - MARGIN, y1: middle, y2: middle }));
  for (const mark of marks) {
    const x = axis.place(mark.value);
    drawing.append(shape("line", { class: `mark ${mark.kind}`, x1: x, x2: x, y1: 1, y2: HEIGHT - 1 }));
  }
  if (typeof one.low === "number" && typeof one.high === "number") {
    const from = axis.place(one.low), to = axis.place(one.high);
    drawing.append(
      shape("line", { class: "bar", x1: from, x2: to, y1: middle, y2: middle }),
      shape("line", { class: "bar", x1: from, x2: from, y1: middle - 4, y2: middle + 4 }),
      shape("line", { class: "bar", x1: to, x2: to, y1: middle - 4, y2: middle + 4 }),
    );
  }
  if (typeof one.mean === "number") drawing.append(shape("circle", { class: "dot", cx: axis.place(one.mean), cy: middle, r: 4 }));
  return drawing;
}

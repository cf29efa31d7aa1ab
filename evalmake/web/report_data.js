// The report: what Python computed, by the names that views ask for.

export const report = JSON.parse(document.getElementById("report").textContent);

const cells = new Map([...report.table, ...report.averages].map((one) => [keyOf(one.row, one.column), one]));
const results = new Map(report.results.map((one) => [one.name, one]));

function keyOf(row, column) {
  return JSON.stringify([row, column]);
}

/** The rows of all sections, in the order of the report. */
export const rows = [...new Set(report.sections.flatMap((one) => one.rows))];

/** The columns of all sections. */
export const columns = [...new Set(report.sections.flatMap((one) => one.columns))];

/** One entry of the table; undefined if there is none. */
export function cellOf(row, column) {
  return cells.get(keyOf(row, column));
}

/** One evaluation by its path. */
export function resultOf(name) {
  return results.get(name);
}

/** The comparison of two rows as the report has it, and whether it is the other way round; undefined if there is none. */
export function pairOf(row, baseline) {
  const found = report.pairs.find((one) => one.row === row && one.baseline === baseline);
  if (found) return { pair: found, isReversed: false };
  const other = report.pairs.find((one) => one.row === baseline && one.baseline === row);
  return other && { pair: other, isReversed: true };
}

/** The mean score of each item of a cell, by the item's number; undefined if it left none. */
export function itemMeansOf(row, column) {
  const found = report.item_means.find((one) => one.row === row && one.column === column);
  return found && new Map(found.items.map((item, place) => [item, found.means[place]]));
}

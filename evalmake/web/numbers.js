// Numbers as people read them. Estimates come as texts from Python; these are for what lists and drawings count.

const grouped = new Intl.NumberFormat("en-GB");

/** A count: "50 000". */
export function formatCount(number) {
  return grouped.format(number).replaceAll(",", "\u202f");
}

/** "1 sample", "20 samples". */
export function countOf(number, noun) {
  return `${formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A score of one sample: 1, 0.25. */
export function formatScore(score) {
  return score === null || Number.isNaN(score) ? "–" : String(Number(score.toPrecision(4)));
}

/** Seconds: "0.07 s", "12.3 s", "3 min 20 s". */
export function formatSeconds(seconds) {
  if (seconds === null || Number.isNaN(seconds)) return "–";
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Number(seconds.toPrecision(3))} s`;
}

/** A difference with its sign: "+0.035", "−0.120". */
export function formatDifference(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return `${value < 0 ? "−" : "+"}${text}`;
}

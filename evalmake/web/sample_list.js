// The list of samples.

import { countOf, formatCount, formatScore, formatSeconds } from "./numbers.js";
import { RowList } from "./row_list.js";
import { ERROR, FAILED, TRUNCATED, UNSCORED } from "./sample_data.js";

const COLUMNS = ["sample", "evaluation", "prompt", "answer", "target", "score", "tokens", "seconds", "finish"];

/** The list; `onopen` gets the sample that is chosen. */
export class SampleList extends RowList {
  constructor(samples, onopen) {
    super({ label: "Samples", columns: COLUMNS, describe: (place) => describeSample(samples, this.chosen[place]), onopen: (place) => onopen(this.chosen[place]) });
    this.samples = samples;
    this.chosen = [];
  }

  /** Show these samples; `marked` is the one that is open, if it is among them. */
  list(chosen, marked = -1, note = "") {
    this.chosen = chosen;
    this.show(chosen.length, chosen.indexOf(marked), `${countOf(chosen.length, "sample")} of ${formatCount(this.samples.count)}${note}`);
  }
}

/** What a line says of a sample, and how it is marked. */
function describeSample(samples, sample) {
  const [prompt, target] = samples.headOf(sample), state = samples.state[sample];
  const mark = state & ERROR ? "error" : state & UNSCORED ? "unscored" : state & FAILED ? "failed" : "";
  return {
    mark: `${mark}${state & TRUNCATED ? " truncated" : ""}`,
    texts: [
      samples.idOf(sample), samples.cellOf(sample), prompt, samples.answers[sample] ?? "", target,
      mark === "error" || mark === "unscored" ? mark : formatScore(samples.score[sample]),
      formatScore(samples.tokensOut[sample]), formatSeconds(samples.latency[sample]).replace(" s", ""),
      samples.finishes[samples.finish[sample]] ?? "",
    ],
  };
}

// A list of samples of which only the rows that can be seen are there, so that 50 000 scroll as well as 50.

import { element, visible } from "./elements.js";
import { countOf, formatCount, formatScore, formatSeconds } from "./numbers.js";
import { ERROR, FAILED, TRUNCATED, UNSCORED } from "./sample_data.js";

const ROW_HEIGHT = 32, AROUND = 12;
const HEADS = ["sample", "evaluation", "prompt", "answer", "target", "score", "tokens", "seconds", "finish"];

/** The list; `onopen` gets the sample that is chosen. */
export class SampleList {
  constructor(samples, onopen) {
    this.samples = samples;
    this.onopen = onopen;
    this.chosen = [];
    this.at = -1;
    this.space = element("div", { class: "space", role: "presentation" });
    this.body = element("div", {
      class: "rows", tabindex: "0", role: "listbox", "aria-label": "Samples", onscroll: () => this.draw(), onkeydown: (event) => this.press(event),
    }, this.space);
    const head = element("div", { class: "row head", "aria-hidden": "true" }, HEADS.map((name) => element("span", { class: `c-${name}` }, name)));
    this.status = element("p", { class: "small", role: "status" });
    this.node = element("div", { class: "sample-list" }, this.status, head, this.body);
    new ResizeObserver(() => this.draw()).observe(this.body);
  }

  /** Show these samples; `at` is the one that is marked, if it is among them. */
  show(chosen, at = -1, note = "") {
    this.chosen = chosen;
    this.at = chosen.indexOf(at);
    this.status.textContent = `${countOf(chosen.length, "sample")} of ${formatCount(this.samples.count)}${note}`;
    this.space.style.setProperty("height", `${chosen.length * ROW_HEIGHT}px`);
    this.body.scrollTop = 0;
    this.reveal();
    this.draw();
  }

  /** Go on by so many rows, and open the sample there. */
  move(step) {
    if (!this.chosen.length) return;
    this.at = Math.min(Math.max(this.at + step, 0), this.chosen.length - 1);
    this.reveal();
    this.draw();
    this.onopen(this.chosen[this.at]);
  }

  reveal() {
    if (this.at < 0) return;
    const top = this.at * ROW_HEIGHT, height = this.body.clientHeight || ROW_HEIGHT * 10;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    else if (top + ROW_HEIGHT > this.body.scrollTop + height) this.body.scrollTop = top + ROW_HEIGHT - height;
  }

  press(event) {
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW_HEIGHT) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined) this.move(Math.min(Math.max(step, -this.chosen.length), this.chosen.length));
    else if (event.key === "Enter" && this.at >= 0) this.onopen(this.chosen[this.at]);
    else return;
    event.preventDefault();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.body.scrollTop / ROW_HEIGHT) - AROUND);
    const last = Math.min(this.chosen.length, Math.ceil((this.body.scrollTop + (this.body.clientHeight || 600)) / ROW_HEIGHT) + AROUND);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.drawRow(place));
    this.space.replaceChildren(...rows);
    const marked = this.at >= first && this.at < last;
    if (marked) this.body.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.body.removeAttribute("aria-activedescendant");
  }

  drawRow(place) {
    const { samples } = this, sample = this.chosen[place];
    const [prompt, target] = samples.headOf(sample), state = samples.state[sample];
    const finish = samples.finishes[samples.finish[sample]] ?? "";
    const mark = state & ERROR ? "error" : state & UNSCORED ? "unscored" : state & FAILED ? "failed" : "";
    const texts = [
      samples.idOf(sample), samples.cellOf(sample), prompt, samples.answers[sample] ?? "", target,
      mark === "error" || mark === "unscored" ? mark : formatScore(samples.score[sample]),
      formatScore(samples.tokensOut[sample]), formatSeconds(samples.latency[sample]).replace(" s", ""), finish,
    ];
    return element(
      "div",
      {
        id: `row-${place}`, class: `row ${mark} ${state & TRUNCATED ? "truncated" : ""}`, role: "option", "aria-selected": place === this.at ? "true" : "false",
        "aria-setsize": this.chosen.length, "aria-posinset": place + 1, style: { top: `${place * ROW_HEIGHT}px` },
        onclick: () => this.move(place - this.at),
      },
      texts.map((text, column) => element("span", { class: `c-${HEADS[column]}`, dir: column < 5 ? "auto" : null }, visible(text))),
    );
  }
}

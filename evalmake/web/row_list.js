// A list of which only the rows that can be seen are there, so that 50 000 scroll as well as 50.

import { element, visible } from "./elements.js";

const ROW_HEIGHT = 32, AROUND = 12;

/** Rows by their place. `columns` are names; `describe(place)` gives texts and a mark; `onopen(place)` is for the chosen one. */
export class RowList {
  constructor({ label, columns, describe, onopen }) {
    Object.assign(this, { columns, describe, onopen, count: 0, at: -1 });
    this.space = element("div", { class: "space", role: "presentation" });
    this.body = element("div", {
      class: "rows", tabindex: "0", role: "listbox", "aria-label": label, onscroll: () => this.draw(), onkeydown: (event) => this.press(event),
    }, this.space);
    const head = element("div", { class: "row head", "aria-hidden": "true" }, columns.map((name) => element("span", { class: `c-${name}` }, name)));
    this.status = element("p", { class: "small", role: "status" });
    this.node = element("div", { class: `list ${label.toLowerCase()}-list` }, this.status, element("div", { class: "head-line" }, head), this.body);
    new ResizeObserver(() => this.draw()).observe(this.body);
  }

  /** Show so many rows; `at` is the one that is marked, or -1. */
  show(count, at, note) {
    Object.assign(this, { count, at });
    this.status.textContent = note;
    this.space.style.setProperty("height", `${count * ROW_HEIGHT}px`);
    this.body.scrollTop = 0;
    this.reveal();
    this.draw();
  }

  /** Go on by so many rows, and open the one there. */
  move(step) {
    if (!this.count) return;
    this.at = Math.min(Math.max(this.at + step, 0), this.count - 1);
    this.reveal();
    this.draw();
    this.onopen(this.at);
  }

  reveal() {
    if (this.at < 0) return;
    const top = this.at * ROW_HEIGHT, height = this.body.clientHeight || ROW_HEIGHT * 10;
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    else if (top + ROW_HEIGHT > this.body.scrollTop + height) this.body.scrollTop = top + ROW_HEIGHT - height;
  }

  press(event) {
    const page = Math.max(1, Math.floor(this.body.clientHeight / ROW_HEIGHT) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.count, End: this.count }[event.key];
    if (step !== undefined) this.move(step);
    else if (event.key === "Enter" && this.at >= 0) this.onopen(this.at);
    else return;
    event.preventDefault();
  }

  draw() {
    const height = this.body.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.body.scrollTop / ROW_HEIGHT) - AROUND);
    const last = Math.min(this.count, Math.ceil((this.body.scrollTop + height) / ROW_HEIGHT) + AROUND);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.drawRow(place));
    this.space.replaceChildren(...rows);
    if (this.at >= first && this.at < last) this.body.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.body.removeAttribute("aria-activedescendant");
  }

  drawRow(place) {
    const { texts, mark } = this.describe(place);
    return element(
      "div",
      {
        id: `row-${place}`, class: `row ${mark}`, role: "option", "aria-selected": String(place === this.at), "aria-setsize": this.count,
        "aria-posinset": place + 1, style: { top: `${place * ROW_HEIGHT}px` }, onclick: () => this.move(place - this.at),
      },
      texts.map((text, column) => element("span", { class: `c-${this.columns[column]}`, dir: "auto" }, visible(text))),
    );
  }
}

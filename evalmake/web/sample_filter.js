// The line that takes an expression, and says what is wrong with it and where.

import { element } from "./elements.js";
import { FilterError } from "./filter_parser.js";
import { formatCount } from "./numbers.js";
import { listNames, SampleSearch } from "./sample_search.js";

const PAUSE = 80; // milliseconds without a key, after which a filter is applied

/** `onchange` gets the text when it has changed. */
export class SampleFilter {
  constructor(text, samples, onchange) {
    this.samples = samples;
    this.applied = text;
    this.input = element("input", {
      id: "filter", type: "search", value: text, list: "names", autocomplete: "off", spellcheck: "false", "aria-describedby": "filter-error",
      placeholder: 'score < 1 and "Paris" in reply', oninput: () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => onchange(this.input.value.trim()), PAUSE);
      },
    });
    this.error = element("p", { id: "filter-error", class: "filter-error", role: "status" });
    this.node = element("div", { class: "filter" }, element("label", { for: "filter" }, "where "), this.input, element("datalist", { id: "names" }, listNames().map((value) => element("option", { value }))), this.error);
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  /** Whether a text is another than the one that was applied last. */
  isChanged(text) {
    return text !== this.applied;
  }

  /** Give the samples among these that are meant to `show`, as they are found. */
  async apply(among, show) {
    const text = (this.applied = this.input.value.trim());
    this.error.textContent = "";
    if (!text) return show(among, "");
    try {
      const search = new SampleSearch(text, this.samples);
      const found = await search.search(among, (some, place) => {
        if (this.applied !== text) return false;
        show(some.slice(), `, ${formatCount(place)} searched so far`);
        return true;
      });
      if (found && this.applied === text) show(found, "");
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.tell(text, error);
    }
  }

  tell(text, error) {
    const { start } = error, end = Math.max(error.end, start + 1);
    this.error.replaceChildren(
      element("code", {}, text.slice(0, start), element("mark", {}, text.slice(start, end) || " "), text.slice(end)),
      ` ${error.message}${error.help ? `; ${error.help}` : ""}`,
    );
  }
}

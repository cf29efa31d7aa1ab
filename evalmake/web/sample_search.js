// Finds samples by an expression: by columns alone at once, by texts as their blocks are decoded.

import { listFields, makeFilter } from "./filter_evaluation.js";
import { FilterError, parseFilter } from "./filter_parser.js";
import { report, resultOf } from "./report_data.js";

const metrics = new Set(report.results.flatMap((one) => one.scores.map((score) => score.metric)));
const axes = new Set(report.results.flatMap((one) => Object.keys(one.axes)));
const orNone = (number) => (Number.isNaN(number) ? null : number);

/** Fields that the columns have: a function of all samples and one of them. */
const OF_COLUMNS = {
  id: (samples, one) => samples.idOf(one),
  score: (samples, one) => orNone(samples.score[one]),
  tokens_in: (samples, one) => orNone(samples.tokensIn[one]),
  tokens_out: (samples, one) => orNone(samples.tokensOut[one]),
  latency: (samples, one) => orNone(samples.latency[one]),
  finish_reason: (samples, one) => samples.finishes[samples.finish[one]] ?? null,
  repetition: (samples, one) => samples.repetition[one],
  cell: (samples, one) => samples.cellOf(one),
  ...Object.fromEntries(["model", "benchmark", "eval", "seed"].map((name) => [name, (samples, one) => resultOf(samples.cellOf(one))[name]])),
};
/** Fields of a question, and of a reply. */
const OF_QUESTION = {
  prompt: (question) => (question.messages.length ? question.messages.map(([, text]) => text).join("\n") : null),
  target: (question) => question.target,
};
const OF_REPLY = {
  ...Object.fromEntries(["reply", "answer", "reasoning", "error", "cluster"].map((name) => [name, (reply) => reply[name] ?? null])),
  tags: (reply) => reply.tags ?? [],
  weight: (reply) => reply.weight ?? 1,
};

/** The names that an expression may use, for suggestions. */
export function listNames() {
  return [...Object.keys(report.fields), ...[...metrics].filter((one) => !report.fields[one]), ...[...axes].filter((one) => !report.fields[one])];
}

/** An expression, ready to search with; FilterError for a mistake. */
export class SampleSearch {
  constructor(text, samples) {
    this.samples = samples;
    const tree = parseFilter(text);
    this.needsTexts = false;
    for (const field of listFields(tree)) this.find(field);
    if (this.needsTexts && !samples.hasTexts) throw new FilterError("this page holds no texts of samples", 0, text.length);
    this.holds = makeFilter(tree, (field) => this.find(field));
  }

  /** A function from what is known of a sample, `{ one, question, reply }`, to the value of a field. */
  find(field) {
    const { samples } = this, [first, ...rest] = field.path, name = field.path.join(".");
    if (!rest.length && OF_COLUMNS[first]) return ({ one }) => OF_COLUMNS[first](samples, one);
    if (axes.has(name) && !(first in report.fields && !rest.length)) return ({ one }) => resultOf(samples.cellOf(one)).axes[name] ?? null;
    const metric = first === "scores" && rest.length === 1 ? rest[0] : first;
    const read =
      !rest.length && OF_QUESTION[first] ? ({ question }) => OF_QUESTION[first](question)
      : !rest.length && OF_REPLY[first] ? ({ reply }) => OF_REPLY[first](reply)
      : metrics.has(metric) && (metric !== first || !rest.length) ? ({ reply }) => reply.scores?.[metric] ?? null
      : first === "record" && rest.length ? ({ question }) => follow(question.record, rest)
      : null;
    if (!read) throw explain(field, first, rest);
    this.needsTexts = true;
    return read;
  }

  /** The samples among these that are meant. `tell` gets what was found so far, and how many were looked at; it says whether to go on. */
  async search(among, tell) {
    if (!this.needsTexts) return among.filter((one) => this.holds({ one }));
    const found = [];
    let next = performance.now() + 100;
    for (let place = 0; place < among.length; place++) {
      const one = among[place];
      const question = this.samples.peekQuestion(one) ?? (await this.samples.readQuestion(one));
      const reply = this.samples.peekReply(one) ?? (await this.samples.readReply(one));
      if (this.holds({ one, question, reply })) found.push(one);
      if (place % 64 === 0 && performance.now() > next) {
        if (!tell(found, place)) return null;
        await new Promise((resolve) => setTimeout(resolve));
        next = performance.now() + 100;
      }
    }
    return found;
  }
}

function follow(value, path) {
  const whole = path.join(".");
  if (isObject(value) && Object.hasOwn(value, whole)) return value[whole];
  for (const step of path) value = isObject(value) && Object.hasOwn(value, step) ? value[step] : null;
  return value ?? null;
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function explain(field, first, rest) {
  const name = field.path.join(".");
  if ((first === "scores" || first === "record") && !rest.length) return new FilterError(`\`${first}\` has parts`, field.start, field.end, `write \`${first}.NAME\``);
  if (first === "scores") return new FilterError(`no metric is named \`${rest.join(".")}\``, field.start, field.end, `the metrics are ${[...metrics].join(", ")}`);
  const known = listNames(), near = known.find((one) => distance(one, name) <= 2);
  return new FilterError(`no field is named \`${name}\``, field.start, field.end, near ? `did you mean \`${near}\`?` : `the fields are ${known.join(", ")}; a text stands in quotes`);
}

/** How many letters must change to make one word of the other. */
function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1));
    row = next;
  }
  return row[other.length];
}

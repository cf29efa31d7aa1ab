// Samples: columns that are read as soon as the page is there, and texts that are decoded when they are needed.

import { encodePart } from "./elements.js";
import { report } from "./report_data.js";

const NONE = -1;
const KEPT_BLOCKS = 600;
const AHEAD = 4; // blocks that are decoded meanwhile, as who reads one mostly goes on

// What a sample is, as bits of its state.
export const FAILED = 1;
export const UNSCORED = 2;
export const TRUNCATED = 4;
export const CACHED = 8;
export const ERROR = 16;

const decoded = new Map();

/** The object in a compressed block; the blocks that were decoded last are kept. */
function decodeBlock(id) {
  let found = decoded.get(id);
  if (!found) {
    found = { promise: inflate(document.getElementById(id).textContent) };
    found.promise.then((value) => (found.value = value));
    decoded.set(id, found);
    if (decoded.size > KEPT_BLOCKS) decoded.delete(decoded.keys().next().value);
  }
  return found.promise;
}

async function inflate(base64) {
  const stream = new Blob([decodeBase64(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function decodeBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** The columns of all samples. Numbers that are not known are NaN, and places in lists -1. */
export class Samples {
  constructor(packed) {
    this.count = packed.cell.length;
    this.cells = packed.cells;
    this.items = packed.items;
    this.finishes = packed.finishes;
    this.heads = packed.heads;
    this.answers = packed.answers;
    this.cell = Uint16Array.from(packed.cell);
    this.item = Uint32Array.from(packed.item);
    this.question = Int32Array.from(packed.question, (one) => one ?? NONE);
    this.repetition = Uint32Array.from(packed.repetition, (one) => one ?? 1);
    this.score = Float64Array.from(packed.score, (one) => one ?? NaN);
    this.state = Uint8Array.from(packed.is);
    this.tokensIn = Float64Array.from(packed.in, (one) => one ?? NaN);
    this.tokensOut = Float64Array.from(packed.out, (one) => one ?? NaN);
    this.latency = Float64Array.from(packed.latency, (one) => one ?? NaN);
    this.finish = Int16Array.from(packed.finish, (one) => one ?? NONE);
    this.replyStarts = packed.reply_starts;
    this.questionStarts = packed.question_starts;
    this.hasTexts = packed.answers.length > 0;
  }

  idOf(sample) {
    return this.items[this.item[sample]];
  }

  cellOf(sample) {
    return this.cells[this.cell[sample]];
  }

  /** The first line of the prompt, and the target. */
  headOf(sample) {
    return this.heads[this.question[sample]] ?? ["", ""];
  }

  /** Where a sample stands in the address of a view: `arithmetic/master/1/q17`, with `~2` for a second repetition. */
  addressOf(sample) {
    const repetition = this.repetition[sample] > 1 ? `~${this.repetition[sample]}` : "";
    const parts = [...this.cellOf(sample).split("/"), this.idOf(sample)];
    return parts.map(encodePart).join("/") + repetition;
  }

  /** The sample at an address; -1 if there is none. */
  find(address) {
    if (!this.byAddress) {
      this.byAddress = new Map();
      for (let sample = this.count - 1; sample >= 0; sample--) this.byAddress.set(this.addressOf(sample), sample);
    }
    return this.byAddress.get(address) ?? NONE;
  }

  /** All samples of an item, in the order of the evaluations. */
  listOfItem(item) {
    if (!this.byItem) {
      this.byItem = this.items.map(() => []);
      this.item.forEach((one, sample) => this.byItem[one].push(sample));
    }
    return this.byItem[item];
  }

  /** The texts of a sample beyond its question: reply, answer, reasoning, scores, judge, error. */
  readReply(sample) {
    return readFrom("reply", this.replyStarts, sample);
  }

  /** What was asked: messages, target, record, and the request's other fields. */
  readQuestion(sample) {
    return readFrom("question", this.questionStarts, this.question[sample]);
  }

  /** The same where it is decoded already; else undefined. */
  peekReply(sample) {
    return peekAt("reply", this.replyStarts, sample);
  }

  peekQuestion(sample) {
    return peekAt("question", this.questionStarts, this.question[sample]);
  }
}

async function readFrom(kind, starts, number) {
  const place = findBlock(starts, number);
  for (let next = place + 1; next < Math.min(place + AHEAD, starts.length); next++) decodeBlock(`${kind}-${next}`);
  return (await decodeBlock(`${kind}-${place}`))[number - starts[place]];
}

function peekAt(kind, starts, number) {
  const place = findBlock(starts, number);
  return decoded.get(`${kind}-${place}`)?.value?.[number - starts[place]];
}

/** The block that holds an object, by its number. */
function findBlock(starts, number) {
  let low = 0, high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= number) low = middle;
    else high = middle - 1;
  }
  return low;
}

let loading;

/** All samples; they are decoded once. */
export function loadSamples() {
  loading ??= whenRead().then(() => decodeBlock("columns-0")).then((packed) => new Samples(packed));
  return loading;
}

/** The stories of all evaluations, by their paths. */
export async function loadStories() {
  await whenRead();
  return new Map((await decodeBlock("stories-0")).map((one) => [one.name, one]));
}

/** Resolves once the browser has read the whole file: the script stands before the samples. */
function whenRead() {
  if (document.readyState !== "loading") return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
}

/** What to say where texts are not in the page. */
export function explainNoTexts() {
  return `This page holds no texts of samples. ${report.left_out}`;
}

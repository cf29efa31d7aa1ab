// A sample: the conversation, the reply with the answer marked in it, scores, and what other models replied.

import { copyButton, element, encodePart, folded, textBlock, viewLink, visible } from "./elements.js";
import { formatCount, formatScore, formatSeconds } from "./numbers.js";
import { resultOf } from "./report_data.js";
import { explainNoTexts } from "./sample_data.js";
import { drawReplies } from "./two_replies.js";

/** One sample; its texts come in when they are decoded. */
export function showSample(samples, sample) {
  const body = element("div", { class: "texts" }, element("p", { class: "small" }, samples.hasTexts ? "Decoding…" : explainNoTexts()));
  const node = element("article", { class: "sample", "data-sample": sample }, drawHead(samples, sample), drawFacts(samples, sample), body);
  if (samples.hasTexts) {
    Promise.all([samples.readQuestion(sample), samples.readReply(sample)]).then(([question, reply]) => {
      body.replaceChildren(...drawTexts(samples, sample, question, reply).filter(Boolean));
    });
  }
  return node;
}

function drawHead(samples, sample) {
  const cell = samples.cellOf(sample);
  return element(
    "h3",
    { dir: "auto" },
    viewLink(`#/sample/${samples.addressOf(sample)}`, visible(samples.idOf(sample))),
    " ",
    element("span", { class: "small" }, viewLink(`#/cell/${cell.split("/").map(encodePart).join("/")}`, visible(cell))),
  );
}

function drawFacts(samples, sample) {
  const result = resultOf(samples.cellOf(sample));
  const facts = [
    ["score", formatScore(samples.score[sample])],
    ["tokens in", formatNumber(samples.tokensIn[sample])],
    ["tokens out", formatNumber(samples.tokensOut[sample])],
    ["latency", formatSeconds(samples.latency[sample])],
    ["finish reason", samples.finishes[samples.finish[sample]] ?? "–"],
    ["repetition", samples.repetition[sample] > 1 ? String(samples.repetition[sample]) : null],
    ["attempt", result ? `${result.attempt} of ${result.attempts}` : null],
  ];
  return element("dl", { class: "facts" }, facts.filter(([, text]) => text !== null).map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, visible(text)))));
}

function formatNumber(number) {
  return Number.isNaN(number) ? "–" : formatCount(number);
}

function drawTexts(samples, sample, question, reply) {
  const shown = reply.reply_shown ?? reply.reply;
  return [
    ...question.messages.map(([role, text]) => drawPart(role || "prompt", text, `turn ${role}`)),
    question.messages.length || question.record == null ? null : drawPart("record", toText(question.record), "turn"),
    reply.error ? drawPart("error", toText(reply.error), "turn error") : null,
    reply.reasoning ? folded(`Reasoning, ${formatCount(reply.reasoning.length)} characters`, () => textBlock(reply.reasoning)) : null,
    ...(Array.isArray(reply.turns) ? reply.turns.map((turn, place) => drawPart(`reply of turn ${place + 1}`, toText(turn.reply ?? turn), "turn assistant")) : []),
    shown == null ? null : drawReply(shown, reply.answer),
    reply.tool_calls ? drawPart("tool calls", toText(reply.tool_calls), "turn assistant") : null,
    element("dl", { class: "verdict" }, drawVerdict(samples, question, reply)),
    reply.judge ? drawPart("what the judge said", toText(reply.judge), "turn judge") : null,
    folded("Request and reply as JSON", () => textBlock(JSON.stringify({ ...question, reply }, null, 2))),
    drawOthers(samples, sample),
  ];
}

function drawPart(title, text, kind) {
  return element("section", { class: kind }, element("h4", {}, visible(title), " ", copyButton(text, title)), textBlock(text));
}

/** The reply; what the scorer took for the answer is marked where it stands last. */
function drawReply(reply, answer) {
  const text = toText(reply), wanted = answer == null ? "" : toText(answer);
  const at = wanted && wanted.length < text.length ? text.lastIndexOf(wanted) : -1;
  const marked =
    at < 0 ? undefined : [visible(text.slice(0, at)), element("mark", { title: "the answer that was scored" }, visible(wanted)), visible(text.slice(at + wanted.length))];
  return element("section", { class: "turn assistant" }, element("h4", {}, "reply ", copyButton(text, "the reply")), textBlock(text, {}, marked));
}

function drawVerdict(samples, question, reply) {
  const scores = Object.entries(reply.scores ?? {}).map(([metric, score]) => [`score, ${metric}`, formatScore(Number(score))]);
  const known = [["answer that was scored", reply.answer], ["target", question.target], ...scores, ["tags", reply.tags == null ? null : [reply.tags].flat().join(", ")], ["cause", reply.cause_kind], ["refused", reply.refused ? "yes" : null], ["cached reply", reply.cached ? "yes" : null]];
  return known.filter(([, text]) => text != null).map(([name, text]) => element("div", {}, element("dt", {}, visible(name)), element("dd", { dir: "auto" }, visible(shorten(toText(text))))));
}

/** The same item's samples of other rows and seeds; each can be put beside this one. */
function drawOthers(samples, sample) {
  const others = samples.listOfItem(samples.item[sample]).filter((one) => one !== sample);
  if (!others.length) return null;
  const beside = element("div", {}), names = (other) => [sample, other].map((one) => samples.cellOf(one));
  const compare = (other) => beside.replaceChildren(drawReplies(samples, { item: samples.item[sample], column: "", theirs: sample, ours: other }, names(other), true));
  const list = others.map((other) =>
    element(
      "li",
      {},
      viewLink(`#/sample/${samples.addressOf(other)}`, visible(samples.cellOf(other))),
      " ",
      element("b", {}, formatScore(samples.score[other])),
      " ",
      element("span", { class: "small", dir: "auto" }, visible(samples.answers[other] ?? "")),
      " ",
      element("button", { type: "button", class: "quiet", "aria-label": `Put ${samples.cellOf(other)} beside this reply`, onclick: () => compare(other) }, "beside"),
    ),
  );
  return element("section", {}, element("h4", {}, "The same sample elsewhere"), element("ul", { class: "others" }, list), beside);
}

/** The beginning of a text that stands among others. */
function shorten(text) {
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
}

function toText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

// Two replies to one question side by side, and the words in which they differ.

import { element, textBlock, viewLink, visible } from "./elements.js";
import { formatScore } from "./numbers.js";
import { explainNoTexts } from "./sample_data.js";
import { diffWords } from "./word_diff.js";

/** `one` has the samples of both sides, `theirs` and `ours`; `names` are those of their rows. Key `d` is for the button. */
export function drawReplies(samples, one, names, isBrief = false) {
  const node = element(isBrief ? "div" : "article", {});
  let isDifference = isBrief, known;
  const draw = () => {
    if (!known) return;
    const [question, replies] = known;
    node.replaceChildren(
      ...(isBrief ? [] : drawQuestion(samples, one, question)),
      element("button", { type: "button", class: "difference", "aria-pressed": String(isDifference), onclick: toggle }, "words that differ ", element("kbd", {}, "d")),
      element("div", { class: "two" }, isDifference ? drawDifference(replies, names) : replies.map((reply, place) => drawReply(samples, [one.theirs, one.ours][place], names[place], reply))),
    );
  };
  const toggle = () => {
    isDifference = !isDifference;
    draw();
  };
  if (!samples.hasTexts) node.append(element("p", { class: "note" }, explainNoTexts()));
  else {
    const both = [one.theirs, one.ours].map((sample) => (sample < 0 ? null : samples.readReply(sample)));
    const asked = samples.readQuestion(one.theirs >= 0 ? one.theirs : one.ours);
    Promise.all([asked, Promise.all(both)]).then((found) => {
      known = found;
      draw();
    });
  }
  return node;
}

function drawQuestion(samples, one, question) {
  return [
    element("h3", { dir: "auto" }, visible(samples.items[one.item]), " ", element("span", { class: "small" }, visible(one.column))),
    ...question.messages.map(([role, text]) => element("section", { class: `turn ${role}` }, element("h4", {}, visible(role || "prompt")), textBlock(text))),
    element("p", {}, element("span", { class: "small" }, "target "), element("b", { dir: "auto" }, visible(toText(question.target)))),
  ];
}

function drawReply(samples, sample, name, reply) {
  const title = element("h4", { dir: "auto" }, sample < 0 ? visible(name) : viewLink(`#/sample/${samples.addressOf(sample)}`, visible(name)), " ", sample < 0 ? null : element("b", {}, formatScore(samples.score[sample])));
  return element("section", { class: "turn assistant" }, title, reply ? textBlock(textOf(reply)) : element("p", { class: "small" }, "It has no such item."));
}

function drawDifference(replies, names) {
  const pieces = diffWords(...replies.map((reply) => (reply ? textOf(reply) : "")));
  const side = (kind, tag) => pieces.filter((piece) => piece.kind === "same" || piece.kind === kind).map((piece) => (piece.kind === "same" ? visible(piece.text) : element(tag, {}, visible(piece.text))));
  return [["removed", "del"], ["added", "ins"]].map(([kind, tag], place) =>
    element("section", { class: "turn assistant" }, element("h4", { dir: "auto" }, visible(names[place])), element("pre", { class: "text", dir: "auto" }, side(kind, tag))),
  );
}

function textOf(reply) {
  return toText(reply.reply_shown ?? reply.reply ?? reply.error ?? "");
}

function toText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "–";
}

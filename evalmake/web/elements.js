// Makes elements. Text of others only ever becomes text: nothing here takes HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners (`onclick: function`) and children: elements, texts, or lists of them. */
export function element(name, attributes = {}, ...children) {
  return complete(document.createElement(name), attributes, children);
}

/** The same of a drawing. */
export function shape(name, attributes = {}, ...children) {
  return complete(document.createElementNS(SVG, name), attributes, children);
}

function complete(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== ""));
  return node;
}

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]/gu;

/** A text of others in which each character that controls a terminal, or the direction of text, shows itself. */
export function visible(text) {
  return String(text).replace(CONTROLS, (character) => {
    const code = character.codePointAt(0);
    if (character === "\r") return "␍";
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

const SHOWN_AT_ONCE = 50_000;

/** A text of a model as it was written, in a block of its own; of a very long one, the beginning until more is asked. */
export function textBlock(text, attributes = {}, content = visible(text)) {
  const block = element("pre", { class: "text", dir: "auto", ...attributes });
  if (text === "") block.append(element("i", {}, "(empty)"));
  else if (text.length <= SHOWN_AT_ONCE) block.append(...[content].flat());
  else block.append(visible(text.slice(0, SHOWN_AT_ONCE)), moreButton(block, text, SHOWN_AT_ONCE));
  return block;
}

function moreButton(block, text, shown) {
  const more = element("button", { type: "button" }, `${text.length - shown} more characters`);
  more.addEventListener("click", () => {
    const end = shown + 4 * SHOWN_AT_ONCE;
    more.replaceWith(visible(text.slice(shown, end)), ...(end < text.length ? [moreButton(block, text, end)] : []));
  });
  return more;
}

/** A name as a part of an address. */
export function encodePart(name) {
  return encodeURIComponent(name.toWellFormed());
}

/** The name that a part of an address is; a part that nobody encoded is itself. */
export function decodePart(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A link to a view of this page. */
export function viewLink(address, ...children) {
  return element("a", { href: address }, ...children);
}

/** What folds: a summary, and what `fill` gives once it is opened. */
export function folded(summary, fill) {
  const body = element("div", {});
  const node = element("details", {}, element("summary", {}, summary), body);
  node.addEventListener("toggle", () => {
    if (node.open && !body.hasChildNodes()) body.append(...[fill()].flat());
  });
  return node;
}

/** A button that copies a text as it is on record. */
export function copyButton(text, what) {
  const button = element("button", { type: "button", class: "quiet", "aria-label": `Copy ${what}` }, "copy");
  button.addEventListener("click", () => {
    const area = element("textarea", { class: "off-screen", readonly: true, "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
    button.textContent = "copied";
    setTimeout(() => (button.textContent = "copy"), 1500);
  });
  return button;
}

// Python's regular expressions as those of the browser, as far as both have the same.

const SYNTAX = "^$\\.*+?()[]{}|/";
const CLASSES = { d: "\\p{Nd}", w: "\\p{L}\\p{N}_", s: "\\s" };
const NEGATED = { D: "\\P{Nd}", W: "[^\\p{L}\\p{N}_]", S: "\\S" };

/** A function that tells whether a pattern is found in a text; an Error for one that is none. */
export function compilePattern(pattern) {
  if (pattern.length > 1000) throw new Error("it has more than 1 000 characters");
  const flags = /^\(\?([aimsux]+)\)/.exec(pattern);
  const given = flags ? flags[1] : "";
  if (given.includes("x")) throw new Error("the browser has no `x` mode");
  const body = translate(flags ? pattern.slice(flags[0].length) : pattern, given);
  const expression = new RegExp(body, `u${given.includes("i") ? "i" : ""}${given.includes("m") ? "m" : ""}`);
  return (text) => expression.test(text);
}

function translate(pattern, flags) {
  let text = "", isClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at], rest = pattern.slice(at);
    if (character === "\\") {
      text += translateEscape(pattern[++at], isClass);
    } else if (isClass) {
      if (character === "]") isClass = false;
      text += character === "[" ? "\\[" : character;
    } else if (character === "[") {
      isClass = true;
      const opening = /^\[\^?\]?/.exec(rest)[0];
      text += opening.endsWith("]") ? `${opening.slice(0, -1)}\\]` : opening;
      at += opening.length - 1;
    } else if (character === ".") text += flags.includes("s") ? "[^]" : "[^\\n]";
    else if (character === "$" && !flags.includes("m")) text += "(?=\\n?$)";
    else if (rest.startsWith("(?P<")) {
      text += "(?<";
      at += 3;
    } else if (rest.startsWith("(?P=")) {
      const name = /^\(\?P=(\w+)\)/.exec(rest);
      text += `\\k<${name[1]}>`;
      at += name[0].length - 1;
    } else if (character === "{" && !/^\{\d*,?\d*\}/.test(rest)) text += "\\{";
    else if (character === "}" && !/\{\d*,?\d*$/.test(pattern.slice(0, at))) text += "\\}";
    else if (character === "{" && rest.startsWith("{,")) {
      text += "{0,";
      at += 1;
    } else text += character;
  }
  return text;
}

function translateEscape(character, isClass) {
  if (character === undefined) throw new Error("it ends with a backslash");
  if (CLASSES[character]) return isClass || character === "s" || character === "d" ? CLASSES[character] : `[${CLASSES[character]}]`;
  if (NEGATED[character]) {
    if (isClass && character === "W") throw new Error("the browser has no `\\W` in a set");
    return NEGATED[character];
  }
  if (character === "A") return "(?<![^])";
  if (character === "Z") return "(?![^])";
  if (character === "a") return "\\x07";
  if (/[a-zA-Z0-9]/.test(character) || SYNTAX.includes(character) || (isClass && character === "-")) return `\\${character}`;
  return character;
}

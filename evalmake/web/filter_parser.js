// Reads the expressions of `evalmake results --where`, as evalmake/sample_filter does. The tests run both on the same
// examples (tests/sample_filter/examples.json).

const MOST_CHARACTERS = 10_000;
const MOST_DEPTH = 50;
const WORD = "[\\p{L}\\p{N}_]";
const TOKEN = new RegExp(
  [
    "(?<space>\\s+)",
    `(?<number>-?(?:\\p{Nd}+\\.?\\p{Nd}*|\\.\\p{Nd}+)(?:[eE][+-]?\\p{Nd}+)?(?!${WORD}|\\.))`,
    "(?<name>(?!\\p{Nd})[\\p{L}\\p{N}_][\\p{L}\\p{N}_-]*)",
    "(?<text>\"(?:[^\"\\\\]|\\\\[^])*\"|'(?:[^'\\\\]|\\\\[^])*')",
    "(?<sign>==|!=|<=|>=|[=<>()\\[\\],.])",
  ].join("|"),
  "uy",
);
const SIGNS = { "=": "==", "==": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=" };
export const ORDERS = ["<", "<=", ">", ">="];
const WORDS = new Map([["true", true], ["false", false], ["none", null]]);
const KEYWORDS = ["and", "or", "not", "in", "matches"];
const FUNCTIONS = ["len", "lower"];
const ESCAPES = { n: "\n", t: "\t", '"': '"', "'": "'", "\\": "\\" };
const FOREIGN = {
  "===": "==", "!==": "!=", "&&": "and", "||": "or", "=~": "matches", "<>": "!=", "=<": "<=", "=>": ">=", "&": "and", "|": "or", "!": "not", "~": "matches",
};

/** A mistake in an expression: what is wrong, where, and what to write. */
export class FilterError extends Error {
  constructor(message, start, end, help = "") {
    super(message);
    Object.assign(this, { start, end, help });
  }
}

/** The expression as a tree; FilterError for a mistake. */
export function parseFilter(text) {
  return new Parser(text).parse();
}

function splitTokens(text) {
  if (text.length > MOST_CHARACTERS) throw new FilterError("the expression is too long", MOST_CHARACTERS, text.length);
  const tokens = [];
  let at = 0;
  while (at < text.length) {
    refuseForeign(text, at);
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (!found) throw explainCharacter(text, at);
    const kind = Object.keys(found.groups).find((name) => found.groups[name] !== undefined);
    if (kind !== "space") tokens.push({ kind, text: found[0], start: at, end: TOKEN.lastIndex });
    at = TOKEN.lastIndex;
  }
  return [...tokens, { kind: "end", text: "", start: text.length, end: text.length }];
}

/** FilterError for a sign of another language. */
function refuseForeign(text, at) {
  const sign = Object.keys(FOREIGN).find((one) => text.startsWith(one, at));
  if (sign && !(sign === "!" && text.startsWith("!=", at))) throw new FilterError(`there is no \`${sign}\``, at, at + sign.length, `write \`${FOREIGN[sign]}\``);
  const isNumber = text[at] === "-" && /^[\d.]/.test(text.slice(at + 1, at + 2));
  if ("+-*/%^".includes(text[at]) && !isNumber) throw new FilterError(`there is no \`${text[at]}\``, at, at + 1, "there is no arithmetic: compute the number first");
}

function explainCharacter(text, at) {
  if ("\"'".includes(text[at])) return new FilterError("the text has no end", at, text.length, `close it with ${text[at]}`);
  const word = /^[\p{L}\p{N}_.]+/u.exec(text.slice(at))?.[0];
  if (word) return new FilterError(`\`${word}\` is no number`, at, at + word.length, `write a text in quotes, "${word}"`);
  return new FilterError(`an expression has no \`${text[at]}\``, at, at + 1);
}

function readText(token) {
  return token.text.slice(1, -1).replace(/\\([^])/g, (whole, character) => ESCAPES[character] ?? whole);
}

class Parser {
  constructor(text) {
    this.tokens = splitTokens(text);
    this.at = 0;
    this.depth = 0;
  }

  get token() {
    return this.tokens[this.at];
  }

  parse() {
    if (this.tokens.length === 1) throw this.error("the expression is empty", this.token, "write one such as `score < 0.5`");
    const node = this.parseJoined("or");
    if (this.token.kind !== "end") throw this.explainRest();
    return node;
  }

  parseJoined(operator) {
    const inner = () => (operator === "or" ? this.parseJoined("and") : this.parseCondition());
    const operands = [inner()];
    while (this.isWord(operator)) {
      this.next();
      operands.push(inner());
    }
    return operands.length === 1 ? operands[0] : { kind: "joined", operator, operands };
  }

  parseCondition() {
    const first = this.token;
    if (!this.isWord("not")) return this.checkCondition(this.parseComparison());
    this.next();
    this.enter(first);
    const operand = this.parseCondition();
    this.depth -= 1;
    return { kind: "not", operand };
  }

  parseComparison() {
    const left = this.parseValue();
    const operator = this.findOperator();
    if (!operator) return left;
    const sign = this.token;
    this.next();
    if (operator === "not in") this.next();
    const right = this.parseValue(operator === "in" || operator === "not in");
    const found = this.checkComparison({ kind: "comparison", operator, left, right }, sign);
    if (this.findOperator()) throw this.error("comparisons are not chained", this.token, "write `and` between two: `0.2 < score and score < 0.5`");
    return found;
  }

  findOperator() {
    const { kind, text } = this.token;
    if (kind === "sign") return SIGNS[text];
    if (kind !== "name") return undefined;
    if (text === "in" || text === "matches") return text;
    return text === "not" && this.tokens[this.at + 1].text === "in" ? "not in" : undefined;
  }

  parseValue(isList = false) {
    const token = this.token, { kind, text, start, end } = token;
    if (kind === "number") {
      this.next();
      const value = Number(text);
      if (!Number.isFinite(value)) throw this.error(`\`${text.slice(0, 40)}\` is too large`, token);
      return { kind: "literal", value, start, end };
    }
    if (kind === "text") {
      this.next();
      return { kind: "literal", value: readText(token), start, end };
    }
    if (kind === "sign" && text === "(") return this.parseParentheses();
    if (kind === "sign" && text === "[") {
      if (isList) return this.parseList();
      throw this.error("a list stands after `in` only", token, 'write `id in ["a", "b"]`');
    }
    if (kind === "name" && WORDS.has(text)) {
      this.next();
      return { kind: "literal", value: WORDS.get(text), start, end };
    }
    if (kind === "name" && !KEYWORDS.includes(text)) return this.tokens[this.at + 1].text === "(" ? this.parseCall() : this.parseField();
    throw this.expected("a value");
  }

  parseParentheses() {
    const opening = this.token;
    this.next();
    this.enter(opening);
    const node = this.parseJoined("or");
    this.depth -= 1;
    if (!this.isSign(")")) throw this.token.kind === "end" ? this.error("the parenthesis is not closed", opening) : this.explainRest();
    this.next();
    return node;
  }

  parseList() {
    const opening = this.token, items = [];
    this.next();
    while (!this.isSign("]")) {
      if (this.token.kind === "end") throw this.error("the list is not closed", opening);
      const token = this.token, value = this.parseValue();
      if (value.kind !== "literal") throw this.error("a list has numbers, texts, `true`, `false` and `none`", token, `write a text in quotes, "${token.text}"`);
      items.push(value.value);
      if (this.isSign(",")) this.next();
      else if (!this.isSign("]")) throw this.expected("`,` or `]`");
    }
    this.next();
    return { kind: "values", items };
  }

  parseCall() {
    const name = this.token;
    if (!FUNCTIONS.includes(name.text)) throw this.error(`there is no function \`${name.text}\``, name, "there are `lower(X)` and `len(X)`");
    this.next();
    this.next();
    this.enter(name);
    const argument = this.parseValue();
    this.depth -= 1;
    if (!this.isSign(")")) throw this.expected(`\`)\` after the value of \`${name.text}\``);
    this.next();
    return { kind: "call", name: name.text, argument };
  }

  parseField() {
    const { start } = this.token, path = [this.token.text];
    let { end } = this.token;
    this.next();
    while (this.isSign(".") || this.isSign("[")) {
      const isBracket = this.token.text === "[";
      this.next();
      const token = this.token;
      if (token.kind !== (isBracket ? "text" : "name")) throw this.expected(isBracket ? "a name in quotes" : "a name");
      path.push(isBracket ? readText(token) : token.text);
      this.next();
      if (isBracket) {
        if (!this.isSign("]")) throw this.expected("`]`");
        this.next();
      }
      end = this.tokens[this.at - 1].end;
    }
    return { kind: "field", path, start, end };
  }

  checkCondition(node) {
    if (node.kind === "literal" && typeof node.value !== "boolean") throw new FilterError("a value alone is no condition", node.start, node.end, 'write what it is compared with: `"Paris" in reply`');
    return node;
  }

  checkComparison(found, sign) {
    const { operator, left, right } = found;
    if (ORDERS.includes(operator) && [left, right].some((side) => side.kind === "literal" && typeof side.value !== "number")) throw this.error(`\`${operator}\` compares numbers`, sign);
    if (operator.endsWith("in") && right.kind === "literal" && typeof right.value !== "string") throw this.error(`\`${operator}\` looks into a text, a list or a field`, sign);
    if (operator === "matches" && (right.kind !== "literal" || typeof right.value !== "string")) throw this.error("`matches` takes a pattern in quotes", sign, 'write `reply matches "[0-9]+"`');
    return found;
  }

  next() {
    this.at = Math.min(this.at + 1, this.tokens.length - 1);
  }

  isWord(word) {
    return this.token.kind === "name" && this.token.text === word;
  }

  isSign(sign) {
    return this.token.kind === "sign" && this.token.text === sign;
  }

  enter(token) {
    if (++this.depth > MOST_DEPTH) throw this.error(`the expression is nested deeper than ${MOST_DEPTH} levels`, token);
  }

  error(message, token, help = "") {
    return new FilterError(message, token.start, token.end, help);
  }

  expected(what) {
    const { kind, text } = this.token;
    return this.error(kind === "end" ? `expected ${what}, and the expression ends` : `expected ${what}, found \`${text.slice(0, 40)}\``, this.token);
  }

  explainRest() {
    const { text } = this.token;
    if (text === ")") return this.error("there is no parenthesis to close", this.token);
    return this.expected("`and`, `or`, a comparison or the end");
  }
}

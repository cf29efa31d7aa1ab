// Makes a function of an expression: whether a sample is meant. What is equal, true and in what is as in Python.

import { FilterError, ORDERS } from "./filter_parser.js";
import { compilePattern } from "./filter_patterns.js";

const NUMBER = /^[ \t\n\r\f\v]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t\n\r\f\v]*$/;
const ORDER = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b };

/** Whether a sample is meant; `read` gives a function from a sample to the value of a field. */
export function makeFilter(node, read) {
  const value = makeReader(node, read);
  return (sample) => isTrue(value(sample));
}

/** Every field of an expression. */
export function listFields(node) {
  if (node.kind === "field") return [node];
  const inner = [node.argument, node.operand, node.left, node.right, ...(node.operands ?? [])];
  return inner.filter(Boolean).flatMap(listFields);
}

function makeReader(node, read) {
  switch (node.kind) {
    case "literal":
      return () => node.value;
    case "values":
      return () => node.items;
    case "field":
      return read(node);
    case "call": {
      const inner = makeReader(node.argument, read), call = node.name === "lower" ? lower : count;
      return (sample) => call(inner(sample));
    }
    case "not": {
      const condition = makeReader(node.operand, read);
      return (sample) => !isTrue(condition(sample));
    }
    case "joined": {
      const conditions = node.operands.map((one) => makeReader(one, read));
      if (node.operator === "and") return (sample) => conditions.every((one) => isTrue(one(sample)));
      return (sample) => conditions.some((one) => isTrue(one(sample)));
    }
    default:
      return makeComparison(node, read);
  }
}

function makeComparison(node, read) {
  const left = makeReader(node.left, read);
  if (node.operator === "matches") {
    const holds = compile(node.right);
    return (sample) => {
      const text = asText(left(sample));
      return text !== null && holds(text);
    };
  }
  const right = makeReader(node.right, read);
  if (ORDERS.includes(node.operator)) {
    return (sample) => {
      const one = asNumber(left(sample)), other = asNumber(right(sample));
      return one !== null && other !== null && ORDER[node.operator](one, other);
    };
  }
  const holds = node.operator.endsWith("in") ? isIn : areEqual;
  const wanted = node.operator === "==" || node.operator === "in";
  return (sample) => holds(left(sample), right(sample)) === wanted;
}

function compile(literal) {
  try {
    return compilePattern(literal.value);
  } catch (error) {
    throw new FilterError(`the pattern is no regular expression: ${error.message}`, literal.start, literal.end);
  }
}

function isTrue(value) {
  if (Array.isArray(value)) return value.length > 0;
  if (value !== null && typeof value === "object") return Object.keys(value).length > 0;
  return Boolean(value);
}

function areEqual(one, other) {
  one ??= null;
  other ??= null;
  if (one === null || other === null) return one === other;
  if (typeof one === "boolean" || typeof other === "boolean") {
    const first = asBoolean(one);
    return first !== null && first === asBoolean(other);
  }
  if (typeof one === "number" || typeof other === "number") {
    const number = asNumber(one);
    return number !== null && number === asNumber(other);
  }
  if (typeof one === "string" && typeof other === "string") return one === other;
  return typeof one === typeof other && Array.isArray(one) === Array.isArray(other) && asText(one) === asText(other);
}

function isIn(one, other) {
  if (Array.isArray(other)) return other.some((value) => areEqual(one, value));
  if (other !== null && typeof other === "object") return typeof one === "string" && Object.hasOwn(other, one);
  const text = asText(other), part = asText(one);
  return text !== null && part !== null && text.includes(part);
}

function asNumber(value) {
  if (typeof value === "string") {
    if (value.length > 40 || !NUMBER.test(value)) return null;
    value = Number(value);
  }
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function asBoolean(value) {
  if (typeof value === "string") return { true: true, false: false }[value.trim().toLowerCase()] ?? null;
  return typeof value === "boolean" ? value : null;
}

/** A value as text: a list or an object as the JSON that Python writes; null for none. */
function asText(value) {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? null : toJson(value);
}

function toJson(value) {
  if (Array.isArray(value)) return `[${value.map(toJson).join(", ")}]`;
  if (value !== null && typeof value === "object") return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${toJson(one)}`).join(", ")}}`;
  return typeof value === "number" ? toDecimals(value) : JSON.stringify(value);
}

/** A number as Python writes it: with an exponent below 0.0001 and from 1e16. */
function toDecimals(number) {
  const size = Math.abs(number);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) return String(number);
  return number.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

function lower(value) {
  return asText(value)?.toLowerCase() ?? null;
}

function count(value) {
  if (Array.isArray(value)) return value.length;
  if (value !== null && typeof value === "object") return Object.keys(value).length;
  const text = asText(value);
  return text === null ? null : [...text].length;
}

"""Numbers that are no answers by what stands around them: bounds, parts of expressions, one of several numbers."""

from __future__ import annotations

import re

from evalmake.harnesses.native.answers.numbers.forms import Found
from evalmake.lazy_pattern import compile_on_use

_TAG = compile_on_use("<[^<>]{1,20}>")
_BEFORE = compile_on_use(
    r"(?:[<≤≥]=?|\\(?:[lg]eq?|[lg]t)|[\w)]\s?>=?|^>=?)\s?$"  # "x > 42"; "> 42" is a quotation in Markdown
    r"|(?:^|[:=\n]|\b(?:is|are|be))\s?(?:less|more|greater|fewer|higher|lower|larger|smaller) than $"
    r"|(?<![^\W\d_])\\?(?:log|ln|lg|sin|cos|tan|cot|sec|exp|arcsin|arccos|arctan)(?:_\w)?[ ({]{0,2}$"
    r"|(?<![^\W\d_])[xyzn]\s?[-+*/]\s?$",  # "2n+1"
    re.IGNORECASE,
)
_QUOTED = compile_on_use(r"(?:^|\n)\s*>\s+$")
_AFTER = compile_on_use(
    r"\.\d|[yzi](?=\s*(?:[^\w\s]|\n|$))|[nx](?=\s*[-+=^])"
)  # "0.1.2", "3i", "2n + 1"; "3x" may be a factor

_MARK = "[\ue100-\ue1ff]"
_END = r"(?: [^\W\d\ue000-\ue1ff]{1,20}){0,2}[^\w\ue100-\ue1ff]*$"
# "x = 5, y = 3", "x: 5\ny: 3": variables that stand beside each other in the alphabet.
_EQUALS = r" ?(?:[=≈:：]|equals?|is|ist|est|es|è|é) ?"
_VARIABLE = compile_on_use(rf"(?<![^\W_])(?:(?:the )?value of )?(?P<name>[A-Za-z][₀-₉\d]?)\"?{_EQUALS} {{0,2}}{_MARK}")
_BETWEEN = compile_on_use(
    r"[^\w\n]{0,3}(?:[,;\n]|(?: |\b)(?:and|und|et|y|e|и|和|or|oder|ou|o)\b)[^\w\n]{0,3}\n{0,2}\W{0,3}"
)
CONDITION = (
    "if|when|where|for|with|at|let|given|since|wenn|für|mit|bei|sei|si|quand|soit|avec|cuando|con|se|per|при|если|пусть"
)
_CONDITION = compile_on_use(rf"(?<!\w)(?:{CONDITION}|设|令|当)\W*$", re.IGNORECASE)
# "John has 5 and Mary has 3"
_SUBJECT = r"(?:[A-Z]\w{1,15}|the (?:other|second)(?: one| \w{1,15})?|the \w{1,15})"
_SAME_VERB = compile_on_use(
    r" (?P<verb>has|have|is|are|gets?|costs?|pays?|weighs?|earns?|scored?|sold|hat|a|tiene|ha)"
    rf" {{1,2}}{_MARK}(?: [^\W\d]{{1,15}}){{0,2}}"
    rf",? (?:and|while|und|et|y|e) {_SUBJECT} (?P=verb) {{1,2}}{_MARK}{_END}"
)
_REMAINDER = compile_on_use(
    rf"{_MARK} {{0,2}}(?:R|r|remainder|Rest|reste|resto|остаток|余り?|あまり|나머지) ?{_MARK}{_END}"
)
_SIDES = compile_on_use(
    rf"{_MARK} {{0,2}}(?P<unit>[cmk]?m|ft|feet|in|inches|met(?:er|re)s) by {{1,2}}{_MARK} {{0,2}}(?P=unit)\W*$"
)
_ALTERNATIVES = compile_on_use(rf"{_MARK} ?(?:-|~|,? ?(?:or|oder|ou|или))+ ?{_MARK}{_END}")  # "3-5", "42 or 43 apples"
_LIST = compile_on_use(rf"(?:^|[^\w\s\ue100-\ue1ff] ?){_MARK}(?: ?, ?{_MARK})+[^\w\ue100-\ue1ff]*$")  # "x = 3, 4"
_RANGE = compile_on_use(rf"^\W*(?:from|between) {_MARK} (?:to|and) {_MARK}{_END}", re.IGNORECASE)
_UNIT = (
    r"(?:years?|months?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|m|seconds?|feet|foot|ft|inch(?:es)?|in|pounds?|lbs?"
    r"|ounces?|oz|dollars?|euros?|cents?|pence|Stunden?|Minuten?|Sekunden?|heures?|horas?|minutos?|ore|minuti)"
)
_COMPOUND = compile_on_use(rf"({_MARK}) ?{_UNIT},? (?:(?:and|und|et|y|e) )?({_MARK}) ?{_UNIT}\b[^\w\ue100-\ue1ff]*$")


def ends_in_variables(text: str) -> bool:
    """Whether the last numbers of a text, marks, are the values of several variables: "x = 5, y = 3"."""
    *_, one, other = [None, None, *_VARIABLE.finditer(text)]
    if one is None or other is None or re.search(_MARK, text[other.end() :]):
        return False
    is_condition = _CONDITION.search(text[max(0, one.start() - 12) : one.start()])
    return not is_condition and _are_neighbours(one, other)


def goes_on_to_variable(text: str) -> bool:
    """Whether a text begins with the value of a variable and that of another one."""
    one = _VARIABLE.match(text)
    other = _VARIABLE.search(text, one.end(), one.end() + 30) if one else None
    return one is not None and other is not None and _are_neighbours(one, other)


def _are_neighbours(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether the values of two variables stand side by side, and their letters in the alphabet."""
    between = one.string[one.end() : other.start()]
    return bool(_BETWEEN.fullmatch(between)) and _are_next(one["name"], other["name"])


def _are_next(one: str, other: str) -> bool:
    """Whether variables have letters after each other, as x and y, or one letter with two numbers, as x1 and x2."""
    return abs(ord(one[0]) - ord(other[0])) == 1 or (one[0] == other[0] and one[1:] != other[1:])


def is_part_of_more(found: Found) -> bool:
    """Whether a number is a bound, or a part of an expression or a version: "< 42", "3i", "log 10", "0.1.2"."""
    text, start, end = found.match.string, found.match.start(), found.match.end()
    before = _TAG.sub("", text[max(0, start - 30) : start])
    bounded = _BEFORE.search(before) and not _QUOTED.search(before)
    return bool(bounded or _AFTER.match(text, end))


def ends_in_several(sentence: str) -> bool:
    """Whether a sentence, with marks for its numbers, ends in several that are one answer together, or none."""
    compound = _COMPOUND.search(sentence)
    if compound and ord(compound[2]) == ord(compound[1]) + 1:  # not "2 hours 30 minutes = 150 minutes"
        return True
    return any(pattern.search(sentence) for pattern in (_ALTERNATIVES, _LIST, _RANGE, _SAME_VERB, _REMAINDER, _SIDES))

"""Numbers of a reply that are no answers: a conversion in brackets, a citation, a precision, a breakdown."""

from __future__ import annotations

import re

from evalmake.lazy_pattern import compile_on_use

_JSON_PAIR = compile_on_use(r",\s{0,20}(?=\"[\w -]{1,40}\" ?[:：])")
_PRECISION = compile_on_use(r"\bto \d{1,2} (?=decimal|significant|d\.?p\b|s\.?f\b)", re.IGNORECASE)
_QUALIFIED = compile_on_use(  # "42 with 95% confidence", "42, see Table 3", "42 (base 10)"
    r"(?<=[\w%])(?:,? with \d[\d.]{0,6} ?% (?=confidence|certainty|probability)"
    r"|,? (?:see|as shown in|as seen in|in|according to) (?:table|figure|fig\.|step|section|equation|eq\.)"
    r" \(?\d{1,3}\)?(?!\w)"
    r"|,? \(?(?:in )?base \d{1,2}\)?(?=\W|$)|,? ?\\pmod ?\{ ?\d{1,9} ?\})",
    re.IGNORECASE,
)
# "$54 with the 20% tip"
_CONTAINED = compile_on_use(
    r"([$€£¥] ?\d[\d.,]{0,12}|\d[\d.,]{0,12} ?(?:[$€£¥]|dollars?|euros?|Euro|dólares|元|美元)),? "
    r"(?:with|including|mit|inklusive|inkl\.|einschließlich|avec|y compris|con|incluyendo|incluida|com|含|包括)"
    r" (?:[^\W\d]{1,12} ){0,3}\d[\d.,]{0,6} ?%"
)
# "on November 9, 1989" in other orders: a date is read as its year
_DATE = compile_on_use(r"(?<!\d)(\d{4}) ?([年년]) ?\d{1,2} ?[月월](?: ?\d{1,2} ?[日일号])?")
_DAY = compile_on_use(r"(?<!\d)\d{1,2} de (?=[^\W\d]{4,12} (?:de|del) \d{4}(?!\d))")
_CITATION = compile_on_use(
    r"(\d(?: (?!(?:is|are|gives?|gets?|makes?|equals?|yields?|to|and|or)\b)[^\W\d]{1,20}){0,2}) ?"
    r"(?:\[(?:[^\W\d]{1,12}[:：.]? ?){0,2}\d{1,2}(?:, ?\d{1,2}){0,5}\]|【[^【】\n]{1,40}】)+(?=[\s.,;*_)\"'<]|$)"
)
_ROUNDED = compile_on_use(r"(?<![\d.])(\d{1,9}/\d{1,9}) ?≈ ?\d{1,9}\.\d{1,20}")
_ODDS = compile_on_use(
    r"(\b(?:probability|chances?|odds|likelihood)\b[^.\n\d]{0,60})(\d{1,9}) (?:in|out of) (\d{1,9})(?![\d.,]\d)"
)
_CALCULATOR = compile_on_use(r"<<[^<>\n]{1,80}>>(?= ?[-$]{0,2}\d)")  # "6 * 7 = <<6*7=42>>42"
_NUMBERED = compile_on_use(
    r"(?:^|(?<=>))(\W{0,4}(?:answer|solution|result|ans)) ?\(?\d{1,2}\)?(?=[*_]{0,2}[:：])",
    re.IGNORECASE | re.MULTILINE,
)
# "330 m (1,083 ft)", "12 apples (she had 15)"; but not "5 * 8 (= 40)", and no calculation.
_BRACKET = compile_on_use(
    r"(\d(?: ?[%€£¥°]|[^\W\d]{1,12})?(?: {1,2}[^\W\d][^\s()=]{0,19}|/\w{1,10}){0,8})"
    r"(?: {1,2}|(?<=[^\x00-\x7f])|(?<= deg [CF]))"
    r"(?:\((?=[^()\n]{0,160}\d)(?:[^()\n=]|(?<=[A-Za-z])=|(?<=[A-Za-z] )=){1,160}\)|\[\d[\d.,]{0,12} [^\W\d]{1,12}\])"
)
# "at sea level (1 bar) it boils at 100 °C"
_BRACKET_BEFORE = compile_on_use(
    r"(?<=[^\W\d]) \((?:[^\W\d]{1,12} )?\d[\d.,]{0,12} ?[^\W\d]{1,12}\)(?=[^()\n.]{1,80}\d)"
)
_CHECK = compile_on_use(
    r"\((?:check|verification|note|because|since|weil|denn|car|porque|perché|因为)\b[^()\n]{0,200}\)", re.IGNORECASE
)
# "330 metres, i.e. 1,083 feet"
_RESTATED = compile_on_use(
    r"(\d ([^\W\d]{1,12}))(?:,? i\.e\.,?|,? that is,?|, or(?: about)?) \d[\d.,]{0,12} (?!\2\b)[^\W\d]{1,12}(?!\w)"
)
# "80 minutes, which is 1 hour and 20 minutes": units of one kind, from the smallest.
_LADDERS = (
    (
        "seconds?|secs?|Sekunden?|secondes?|segundos?|secondi|секунд[аы]?|秒|초",
        "minutes?|mins?|Minuten?|minutos?|minuti|минут[аы]?|分钟|分鐘|分間?|분",
        "hours?|hrs?|h|Stunden?|heures?|horas?|or[ae]|час(?:а|ов)?|小时|小時|時間|시간",
        "days?|Tagen?|Tage?|jours?|días?|dias?|giorn[oi]|день|дн(?:я|ей)|天|日間?|일",
        "weeks?|Wochen?|semaines?|semanas?|settiman[ae]|недел[яиь]|周|週間?|주",
        "months?|Monaten?|Monate?|mois|mes(?:es)?|mês|mes[ei]|месяц(?:а|ев)?|个月|個月|か月|ヶ月|개월",
        "years?|Jahren?|Jahre?|ans?|années?|años?|anos?|ann[oi]|год(?:а)?|лет|年|년",
    ),
    ("mm", "cm", "m|met(?:er|re)s?|Meter", "km|kilomet(?:er|re)s?|Kilometer"),
    ("mg", "g|grams?|Gramm", "kg|kilograms?|Kilogramm"),
    ("ml|mL|millilit(?:er|re)s?", "l|L|lit(?:er|re)s?|Liter"),
    ("inch(?:es)?", "feet|foot", "yards?", "miles?"),
    ("cents?|pence", "dollars?|euros?|pounds?"),
)
_RANKS = [(kind, step, compile_on_use(unit)) for kind, units in enumerate(_LADDERS) for step, unit in enumerate(units)]
_ANY_UNIT = rf"(?:{'|'.join(unit for units in _LADDERS for unit in units)})(?![A-Za-zÀ-ÿа-я])"
_AGAIN = (
    r"(?:i\.e\.,?|that is|that's|which is|which equals|equivalent to|or|also|das sind|das heißt|d\.h\.|soit"
    r"|c'est-à-dire|es decir|o sea|cioè|ou seja|то есть|也就是|即|つまり|즉),?(?: about| exactly)? ?"
)
_LARGER = compile_on_use(
    rf"(\d ?({_ANY_UNIT}))(?: ?[,、(]| ?[-–—]+)? ?{_AGAIN}\d[\d.,]{{0,12}} ?({_ANY_UNIT})"
    rf"(?:,? ?(?:(?:and|und|et|y|e|и) )?\d[\d.,]{{0,12}} ?{_ANY_UNIT}){{0,3}}"
)
# "12 balls: 5 red and 7 green."
_BREAKDOWN = compile_on_use(
    r"(\d(?: [^\W\d]{1,20}){1,3}): (?=\d)(?:\d[\d.,]{0,12}(?: [^\W\d]{1,20}){1,3}(?:, and |, | and )){1,6}"
    r"\d[\d.,]{0,12}(?: [^\W\d]{1,20}){1,3}(?=[^\w\n]{0,20}(?:\n|$))"
)


def drop_asides(text: str) -> str:
    """A normalized text without such numbers, and each pair of its JSON on a line."""
    text = _NUMBERED.sub(r"\1", _JSON_PAIR.sub("\n", _CALCULATOR.sub("", text)))
    if "nswer" not in text:
        text = text.replace('"result":', '"answer":')
    text = _ODDS.sub(r"\1\2/\3", text)
    text = _CITATION.sub(r"\1", _CHECK.sub("", _PRECISION.sub("to ", _QUALIFIED.sub("", text))))
    text = _LARGER.sub(_drop_larger, text)
    text = _CONTAINED.sub(r"\1", _DAY.sub("", _DATE.sub(r"\1\2", _ROUNDED.sub(r"\1", text))))
    text = _BRACKET_BEFORE.sub("", _BRACKET.sub(r"\1", _BRACKET.sub(r"\1", text)))
    return _BREAKDOWN.sub(r"\1", _RESTATED.sub(r"\1", text))


def _drop_larger(found: re.Match[str]) -> str:
    """A quantity without its restatement in larger units; one in smaller units is a step of a calculation."""
    places = [[(kind, step) for kind, step, unit in _RANKS if unit.fullmatch(found[group])] for group in (2, 3)]
    is_larger = any(one[0] == other[0] and one[1] < other[1] for one in places[0] for other in places[1])
    return found[1] if is_larger else found[0]

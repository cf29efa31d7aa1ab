"""The forms in which people and models write numbers: digits, groups, signs, LaTeX, fractions, powers."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from evalmake.lazy_pattern import compile_on_use

_SIGNS = str.maketrans(
    dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000\t", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u200e\u200f", None)
    | dict.fromkeys("−–‒－﹣", "-")
    | dict.fromkeys("’‘ʼ′＇", "'")
    | {"℃": "°C", "℉": "°F"}
    | dict(zip("⁄∕／٬٫，．％٪＋＝（）", "///,.,.%%+=()", strict=True))
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_LATEX = (
    (compile_on_use(r"\{,\}"), ","),
    (compile_on_use(r"(?<=\d) ?\\[,;:! ] ?(?=\d{3}(?!\d))"), " "),
    (compile_on_use(r"\\[,;:! ]|\\thinspace(?![A-Za-z])|(?<=\d)~(?=\d)"), " "),
    (compile_on_use(r"\\([%$#&])"), r"\1"),
    (compile_on_use(r"\\(?:left|right|displaystyle|limits)(?![A-Za-z])"), ""),
    (compile_on_use(r"\\(?:text(?:bf|it|rm|sf)?|math(?:rm|bf|sf|it)|mbox|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (compile_on_use(r"\\(?:times|cdot|ast)(?![A-Za-z])"), "*"),
    (compile_on_use(r"\\(?:approx|simeq|equiv)(?![A-Za-z])"), "="),
    (compile_on_use(r"\\pm(?![A-Za-z])"), "±"),
    (compile_on_use(r"\\pi(?![A-Za-z])"), "π"),
    (compile_on_use(r"\\sqrt(?![A-Za-z])"), "√"),
    (compile_on_use(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree\b|°"), " deg "),
    (compile_on_use(r"(?<=\d)\s*(?=\\[dtc]?frac)"), " "),
    (compile_on_use(r"\\[dtc]?frac\s*\{\s*([-+]?)\s*([\d.,]+)\s*\}\s*\{\s*([-+]?)\s*([\d.,]+)\s*\}"), r"\1\3\2/\4"),
    (compile_on_use(r"\\[dtc]?frac\s*(\d)\s*(\d)"), r"\1/\2"),
    (compile_on_use(r"\^\s*\{\s*([-+]?\d+)\s*\}"), r"^\1"),
    (compile_on_use(r"(?<=[A-Za-z)])_\{[^{}]*\}|(?<=\b[A-Za-z])_\w\b"), ""),
    (compile_on_use(r"\^\s+(?=[-+\d])"), "^"),
)
_WRITTEN = (
    (compile_on_use(r"\+/?-(?= ?\d)"), "±"),
    (compile_on_use(r"(?<=[\d)])_\{?\d{1,2}\}?(?![\d_])"), ""),  # 42_{10}
    (compile_on_use(r"(?<=[1-9])x(?=\d)|(?<=[1-9]0)x(?=\d)"), " x "),
    (compile_on_use(r"(?<=\w)<sup>\s?([-+]?\d{1,4})\s?</sup>"), r"^\1"),
    (compile_on_use(r"<sup>\s?(\[[^\[\]<>]{1,20}\])\s?</sup>"), r"\1"),  # a footnote
    (compile_on_use(r"(?:(?<=\b(?:is|be|es))|(?<=\b(?:ist|est|são|son))|(?<=[是为為])) (\$?)- (?=\d)"), r" \1-"),
    (compile_on_use(r"^([^|\n]*)\|-?(\d[\d.,/]{0,30})\|(?=[^|\n]*$)", re.MULTILINE), r"\1\2"),  # |-3| is 3
)
_SUPERSCRIPT = compile_on_use(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_VULGAR = compile_on_use(r"(?:(?<=\d) ?)?[¼-¾⅐-⅞↉]")
_OTHER_DIGIT = compile_on_use(r"[^\x00-\x7f\W]")
# Stars that are no signs of a product or power: **42**, but 3 * 4 and 2**10.
_EMPHASIS = compile_on_use(
    r"(?<![\d)\s*])\*+(?=\S)|(?<=\s)\*{2,}(?=[^\s*])|(?<=[^\s*])\*+(?![\d(\s*])|(?<=[^\s*])\*{2,}(?=\s)"
)
_UNDERSCORES = compile_on_use(r"(?<!\w)_+|_+(?!\w)")
_UNIT_EXPONENT = compile_on_use(r"(?<=[A-Za-zµΩμ]) ?\^\(?[-+]?\d+\)?")
_BULLET = compile_on_use(r"^[ ]*(?:[-*•][ ]+(?=\S))?(?:\d{1,2}[.)][ ]+(?=[\w*$\\(]))?", re.MULTILINE)

_SCALE_WORDS = {
    2: "百",
    3: "thousand tausend mille mil mila тысяч тысячи 千 천",
    4: "万 萬 만",
    5: "lakh लाख",
    6: "million millions millionen mio millón millones milione milioni milhão milhões миллион миллиона миллионов млн",
    7: "crore करोड़",
    8: "亿 億 억",
    9: "billion billions milliarde milliarden mrd milliard milliards miliardi bilhões миллиардов млрд",
    12: "trillion trillions",
}
_SCALES = {word: power for power, words in _SCALE_WORDS.items() for word in words.split()}
_MYRIADS = "亿億억万萬만千천百"
_COMPOSED = compile_on_use(
    rf"(?<![\d.])\d[\d,.]{{0,12}}[{_MYRIADS}](?:\s?\d[\d,.]{{0,12}}[{_MYRIADS}])*(?:\d{{2,4}}(?![\d.]))?"
)
_COMPOSED_PART = compile_on_use(rf"(\d[\d,.]*)([{_MYRIADS}]?)")
_LARGEST_FACTORIAL = 20
_SUFFIXES = {"k": 3, "K": 3, "M": 6, "m": 6, "mn": 6, "B": 9, "bn": 9, "T": 12}
_GROUPING_MONEY = r"€|₫|₺|(?:euros?|eur|tl|đồng|dong|vnd|reais|pesos|zł|kč|kr|lei|ft)\b"
_IN_GROUPS = compile_on_use(r"[1-9]\d{0,2}\.\d{3}")
# Words of languages that write 8.849 for 8849.
_GROUPING_WORDS = compile_on_use(
    r"(?<!\w)(?:der|das|ist|sind|hat|haben|beträgt|etwa|rund|und|es|el|los|son|tiene|hay|mide|unos|è|sono|é|são|tem)(?!\w)",
    re.IGNORECASE,
)
_MINUS_WORDS = r"(?<![^\W_])(?:minus|negative|moins|menos|meno|минус|سالب|ऋण)\s|(?:负|負|マイナス|마이너스)\s?"
_PERCENT_WORDS = r"percent|per\ cent|pct|prozent|pour\ cent|por\ ciento|per\ cento|por\ cento|процент\w*"

_NUMBER = compile_on_use(
    rf"""
    (?<![A-Za-z\d_^]) (?<!\d\.) (?<![A-Za-z]-)              # not inside a word, a name (GPT-4) or another number
    (?P<open>(?<=[√±])|(?<=[√±][ {{(]))?
    (?P<minus>{_MINUS_WORDS})?
    (?P<sign>(?:(?<![A-Za-z0-9_)\]%.])[-+](?:(?<=[=(:\[]\s[-+])\s)?)?)
    (?P<money>(?:(?:US|AU|CA|R)?[$€£¥₹₩₫₺]|Rp\.?)\s?(?P<inner>-)?)?
    (?:
        (?<!/) (?:(?P<whole>\d+)[ ]{{1,2}})? (?P<over>\d+(?:\.\d+)?)\s?/\s?(?P<under>\d*[1-9]\d*(?:\.\d+)?) (?![\d/])
      | (?P<digits>
            [1-9]\d{{0,2}}(?:,\d{{3}})+(?!\d)(?:\.\d+)?     # 70,000.5
          | \d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?!\d)(?:\.\d+)?  # 1,50,000, as in India
          | \d{{1,3}}(?:[ ]\d{{3}})+(?!\d)(?:[.,]\d+)?      # 70 000
          | \d{{1,3}}(?:'\d{{3}})+(?!\d)(?:\.\d+)?          # 70'000
          | \d{{1,3}}(?:_\d{{3}})+(?!\d)
          | (?P<dotted>
                \d{{1,3}}(?:\.\d{{3}})+,\d+ | \d{{1,3}}(?:\.\d{{3}}){{2,}}(?!\d)      # 1.234,5 and 1.234.567
              | (?:(?<=[€₫₺])|(?<=[€₫₺]\ )|(?<=\bR\$)|(?<=\bR\$\ )|(?<=\bRp)|(?<=\bRp\ )) [1-9]\d{{0,2}}\.\d{{3}}(?!\d)
              | [1-9]\d{{0,2}}\.\d{{3}}(?=\s?(?:{_GROUPING_MONEY}))                   # 1.500 euros: no money has mills
            )
          | (?<![,(\[{{])(?P<comma>\d+,\d{{1,2}}|0,\d+|\d+,\d{{4,}})(?!\d|[.,]\d)       # 3,14
          | \d+(?:\.\d+)? | (?<!\.)\.\d+
        )
        (?:[eE](?P<exponent>[-+]?\d{{1,4}})(?![\dA-Za-z]))?
    )
    (?:(?:\^|\*\*)\(?(?P<power>[-+]?\d{{1,4}})(?!\d)\)?)?
    (?:\s*[×xX*·⋅]\s*10\s*(?:\^|\*\*)\(?(?P<tens>[-+]?\d{{1,4}})(?!\d)\)?)?
    (?:\s?(?P<scale>{"|".join(sorted(_SCALES, key=len, reverse=True))})(?![A-Za-zÀ-ÿа-я]))?
    (?P<suffix>(?:(?-i:bn|mn|[kKMBT])|(?(money)m|(?!)))(?![A-Za-z\d]))?
    (?P<percent>\s?%|\s(?:{_PERCENT_WORDS})\b)?
    (?P<symbol>(?=\s?[*·]?\s?[π√]))?
    (?P<factorial>(?=!(?![!=\w])))?
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact number, whether a percent sign followed it, and how it was written."""

    value: Fraction
    percent: bool
    text: str
    other: Fraction | None = None
    """The number in another reading: 300K may be kelvins, and 5! an exclamation."""


@dataclass(frozen=True, slots=True)
class Found:
    """A number in a normalized text: where it stands. `quantity` reads it."""

    match: re.Match[str]

    @property
    def quantity(self) -> Quantity | None:
        """The number; None if it is part of an expression (2π), or has thousands of digits."""
        found = self.match
        if found["symbol"] is not None or found["open"] is not None:
            return None
        try:
            value = _parse_magnitude(found)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None
        negative = (found["sign"].strip() == "-") ^ bool(found["inner"]) ^ bool(found["minus"])
        text = " ".join(found[0].split())
        value, other = _read_ending(found, -value if negative else value)
        return Quantity(value, bool(found["percent"]), text, other)


def normalize_numbers(text: str) -> str:
    """Bring the forms of numbers to ASCII: other digits, spaces, signs, superscripts, fractions, LaTeX, markup."""
    text = re.sub(" {2,}", " ", text.translate(_SIGNS))
    text = _SUPERSCRIPT.sub(lambda found: "^" + found[0].translate(_SUPERSCRIPTS), text)
    text = _VULGAR.sub(_spell_fraction, text)
    text = _OTHER_DIGIT.sub(lambda found: str(unicodedata.decimal(found[0], found[0])), text)
    for pattern, plain in _LATEX + _WRITTEN:
        text = pattern.sub(plain, text)
    text = _COMPOSED.sub(_add_up, text)
    text = _UNDERSCORES.sub("", _EMPHASIS.sub("", text))
    return _UNIT_EXPONENT.sub("", _BULLET.sub("", text))


def _spell_fraction(found: re.Match[str]) -> str:
    after_number = found.string[max(0, found.start() - 1) : found.start()].isdigit()
    return " " * after_number + unicodedata.normalize("NFKC", found[0].strip()).replace("⁄", "/")


def _add_up(found: re.Match[str]) -> str:
    """The sum that is written by East Asian scales, as 1億2000万; other texts stay as they are."""
    parts = [(part[1].replace(",", ""), _SCALES.get(part[2], 0)) for part in _COMPOSED_PART.finditer(found[0])]
    falling = all(one[1] > other[1] for one, other in itertools.pairwise(parts))
    if len(parts) == 1 or not falling or any(re.search(r"\..*\.|\.$", digits) for digits, _ in parts):
        return found[0]
    total = sum(Fraction(digits) * 10**power for digits, power in parts)
    return str(total) if total.denominator == 1 else found[0]


def find_numbers(text: str) -> Iterator[Found]:
    """The numbers in a normalized text, in order."""
    return map(Found, _NUMBER.finditer(text))


def _parse_magnitude(found: re.Match[str]) -> Fraction:
    if found["over"]:
        value = int(found["whole"] or 0) + Fraction(found["over"]) / Fraction(found["under"])
    else:
        digits = found["digits"]
        if found["dotted"]:
            digits = digits.replace(".", "").replace(",", ".")
        elif found["comma"]:
            digits = digits.replace(",", ".")
        elif " " in digits:  # a comma after spaces is one of decimals
            digits = digits.replace(" ", "").replace(",", ".")
        digits = re.sub("[,'_]", "", digits)
        value = Fraction(f"{digits}e{found['exponent'] or 0}")
    if found["power"]:
        value = _raise(value, int(found["power"]))
    if found["tens"]:
        value *= Fraction(10) ** int(found["tens"])
    return value * 10 ** _SCALES[found["scale"].casefold()] if found["scale"] else value


def _read_ending(found: re.Match[str], value: Fraction) -> tuple[Fraction, Fraction | None]:
    """The readings of a number by what is written after it: a letter may be a scale or a unit, "!" a factorial."""
    suffix = found["suffix"]
    if suffix:
        return value * 10 ** _SUFFIXES[suffix], None if found["money"] or len(suffix) > 1 else value
    if found["factorial"] is not None and value.denominator == 1 and 0 <= value <= _LARGEST_FACTORIAL:
        return value, Fraction(math.factorial(int(value)))
    text, start, end = found.string, found.start(), found.end()
    if _IN_GROUPS.fullmatch(found["digits"] or "") and _GROUPING_WORDS.search(text[max(0, start - 60) : end + 30]):
        return value, value * 1000
    return value, None


def _raise(value: Fraction, power: int) -> Fraction:
    """A power, unless it has many thousands of digits."""
    if value.numerator.bit_length() * abs(power) > 100_000 or value.denominator.bit_length() * abs(power) > 100_000:
        raise ValueError("too large")
    return value**power

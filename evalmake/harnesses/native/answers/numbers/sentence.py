"""The main clause of a sentence with several numbers: what stands after it only adds a circumstance to its number.

"She has 42 left after giving away 8", "42 tickets on day 3", "42 of 50 passed". Each number is a mark.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Set
from fractions import Fraction
from math import prod

from evalmake.lazy_pattern import compile_on_use

MARK = "[\ue100-\ue1ff]"
_WORD = r"[^\W\d\ue000-\ue1ff]{1,20}"
_TAG = compile_on_use("<[^<>]{0,40}>")
_MOST = 6
"""Circumstances after each other that are cut off."""

_SUBORDINATE = (
    "after|before|since|because|when|if|unless|until|once|given that|assuming|considering|although|though|whereas"
    "|without|due to|thanks to|based on|compared (?:to|with)|instead of|rather than|including|of wh(?:ich|om)|where"
    "|as (?:there|he|she|it|they|we|you|each|every)"
    "|nachdem|bevor|weil|da|denn|wenn|falls|obwohl|ohne|anstatt|davon|während"
    "|après|avant|parce que|puisque|car|quand|lorsque|sans|au lieu de|dont"
    "|después de|antes de|porque|ya que|pues|cuando|tras|sin|en lugar de|de los cuales|de las cuales"
    "|dopo|prima di|perché|poiché|quando|senza|invece di|di cui|depois de|antes de|pois|já que|sem|dos quais|das quais"
    "|после|потому что|так как|если|когда|из которых|بعد|قبل|لأن|لأنه|لأنها|عندما|إذا|منها"
)
"""Words that begin a clause, which explains, dates or restricts the clause before it."""
_SUBORDINATE_UNSPACED = "因为|因為|由于|由於|其中|如果|当(?=[A-Za-z])"
_REASON = compile_on_use(
    "[ ,]*(?:because|since|weil|da|denn|parce que|puisque|car|porque|ya que|pues|perché|poiché|pois|já que"
    "|потому что|так как|لأن|因为|因為|由于|由於|as|for)",
    re.IGNORECASE,
)
"""Words that begin a reason, in which the result of a calculation is none of the sentence."""
_PREPOSITION = (
    "in|on|for|from|across|within|per|every|among|between|out of|according to|selon|según|laut|secondo|segundo"
    "|für|pro|je|nach|von|aus|bei|pour|par|sur|en|dans|por|para|em|за|из|на|в|في|خلال"
)
"""Words before a number that belongs to the one before."""
CONCLUSION = (
    "so|thus|therefore|hence|now|altogether|in (?:all|total)|a total of"
    "|(?:leaves|gives|equals)(?= (?:(?:him|her|them|us|with) )*[\ue100-\ue1ff])"
    "|(?<=, )(?:leaving|making|giving|bringing|resulting|totall?ing)|which (?:is|are|means|makes|gives|leaves|equals)"
    "|also (?:sind|ist|hat|haben|bleiben|braucht)|somit|insgesamt|donc|soit|au total|entonces"
    "|por lo tanto|así que|en total|quindi|in totale|portanto|no total"
    "|значит|всего|итого|所以|因此|一共|共"
)
"""Words after which a sentence comes back to what it tells."""
# "42 more to buy the 100 dollar bike"; but not "needs to buy 42", "to get 42".
_PURPOSE = (
    r"(?<!\bneed )(?<!\bneeds )(?<!\bneeded )(?<!\bhas )(?<!\bhave )(?<!\bhad )(?<!\bwants )(?<!\bwant )(?<!\bwanted )"
    r"(?<!\bable )(?<!\bgoing )(?<!\bplans )(?<!\bdecides )(?<!\bused )(?<!\bup )(?<!\bequal )"
    rf"to (?!(?:be|get(?! to)|make|find|have|give|obtain|equal|total|yield|form|the|a|about|nearly)\b)(?={_WORD} )"
)

_COMPARED = rf"{MARK} (?:of (?:which|whom|them)\b|(?:{_WORD} )?(?:more|less|fewer|{_WORD}er) than\b)"
_CLAUSE = compile_on_use(
    rf"(?<=\S)[ ,]+(?:(?:{_SUBORDINATE})(?!\w)|{_PURPOSE})|{_SUBORDINATE_UNSPACED}|,(?= {_COMPARED})"
    rf"|,? (?:as|for)(?= {MARK})",
    re.IGNORECASE,
)
_TOTAL = " (?:altogether|in total|in all|overall|total|left|remain(?:s|ing)?)\\b"
_CONCLUDED = compile_on_use(
    rf"(?<!\w)(?:{CONCLUSION})(?![A-Za-z])[^\ue100-\ue1ff]*{MARK}|{MARK}(?: {_WORD}){{0,3}}{_TOTAL}",
    re.IGNORECASE,
)
# Any word but one that tells a number of its own: "7 in each is 42", "a total of 42".
_ATTRIBUTE = (
    r"(?!(?:total|sum|is|are|was|were|be|has|have|makes?|gives?|costs?|equals|gets?|ist|sind|macht|kostet|est|sont|fait"
    rf"|font|coûte|es|son|cuesta|è|sono|é|são|equals|leaves|remain|remains|left|suma|Summe|somme)\b){_WORD}"
)
_BELONGS = (
    rf"(?<!result )(?<!results )(?<!resulted )(?<!resulting )(?<!\w)(?:{_PREPOSITION})(?: {_ATTRIBUTE}){{0,3}}"
    rf"|at(?= {MARK} (?:{_WORD} )?(?:each|apiece|per)\b)|at [a-z](?= =)"
    rf"|(?<={MARK}) (?:{_ATTRIBUTE} ){{0,3}}(?:of|из|de|di|von|من)(?: {_ATTRIBUTE}){{0,2}}"
)
_ADDED = compile_on_use(
    rf"(?:{_BELONGS})(?: =)? (?P<first>{MARK})(?:(?: {_WORD}){{0,3}}(?:,|,? and)(?: the| an?)? {MARK})*"
    rf"(?:(?<= of {MARK})|(?<= of the {MARK})|(?!(?: {_WORD}){{0,3}}{_TOTAL}))[^=:\ue100-\ue1ff]{{0,60}}$",
    re.IGNORECASE,
)
# "5 full batches, with 2 eggs left over"
_FULL = "full|whole|complete|volle|ganze|vollständige|整"
_LEFTOVER = compile_on_use(
    rf"({MARK} (?:(?:{_FULL}) ?{_WORD}|{_WORD} (?:compl[eè]t|enter|entièr|plein|llen|inter)\w{{1,4}})(?: {_WORD})?)"
    rf"(?:,|，|,? (?:with|and|mit|und|avec|et|con|y))[^\ue100-\ue1ff]{{0,30}}{MARK}[^\ue100-\ue1ff]{{0,40}}$"
)
_LEFT = compile_on_use(r"left|remain|spare|übrig|\brest|\bsobra|剩|余")
_COLON = compile_on_use("[:：—]| - ")
_AND = compile_on_use("[,，]| (?:and|plus|und|plus|et|y|e) ")


def sentence_of(text: str, at: int) -> str:
    """The sentence that holds the number at a place of a text, or the end of a long one."""
    start = max(at - 300, 0, *(text.rfind(end, 0, at) + 1 for end in (". ", "\n", "? ", "! ")))
    sentence = text[start : at + 200].partition("\n")[0]
    cleaned = clean(sentence)
    return cleaned if text[at] in cleaned else " ".join(sentence.split())  # "<0>" is no tag


def clean(sentence: str) -> str:
    """A sentence without tags, and with single spaces."""
    return " ".join(_TAG.sub(" ", sentence).split())


def cut_circumstances(sentence: str, prices: Collection[str], results: Set[str]) -> str:
    """A sentence without what only adds to its number; the whole, if nothing else has a number.

    A price adds to another price only: "9 eggs for $18" tells what they cost. The result of a calculation adds to
    nothing.
    """
    if (found := _LEFTOVER.search(sentence)) and _LEFT.search(sentence, found.end(1)):
        sentence = sentence[: found.end(1)]
    main = _cut_clause(sentence, results)
    for _ in range(_MOST):
        added = _ADDED.search(main)
        if not added or added["first"] in results:
            return main
        before = re.findall(MARK, main[: added.start()])
        if not before:
            return main if added["first"] in prices else sentence
        if added["first"] in prices and before[-1] not in prices and not added[0].startswith("at"):
            return main
        main = main[: added.start()]
    return main


def find_total(sentence: str, values: Mapping[str, Fraction]) -> str | None:
    """The number that those listed after it add up or multiply to: "25 minutes: 20 there and 5 back", "42: 6 of 7"."""
    for colon in _COLON.finditer(sentence):
        main, rest = sentence[: colon.start()], sentence[colon.end() :]
        *_, total = [None, *re.findall(MARK, main)]
        factors = re.findall(MARK, rest)
        if (
            total is None
            or len(factors) < 2
            or _CONCLUDED.search(sentence, colon.start())
            or not values.keys() >= {total, *factors}
        ):
            continue
        parts = [found for part in _AND.split(rest) for found in re.findall(MARK, part)[:1]]
        made = {sum(values[part] for part in parts), prod(values[factor] for factor in factors)}
        if values[total] in made:
            return str(total)
    return None


def _cut_clause(sentence: str, results: Set[str]) -> str:
    """A sentence up to a subordinate clause with a number, after which it does not conclude."""
    for clause in _CLAUSE.finditer(sentence):
        main, rest = sentence[: clause.start()], sentence[clause.end() :]
        added = re.findall(MARK, rest)
        if clause[0].strip(" ,").casefold() in ("as", "for") and added[0] not in results:
            continue  # "42 for 6 people"
        told = re.findall(MARK, re.sub("^[^,:;，：；]*", "", rest)) if _REASON.fullmatch(clause[0]) else added
        concludes = not results.isdisjoint(told) or _CONCLUDED.search(sentence, clause.start())
        if added and re.search(MARK, main) and not concludes:
            return main
    return sentence

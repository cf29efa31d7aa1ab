"""What a reply claims: reads an outline (see `outline`) clause by clause, and decides which claim stands.

A claim is an option, or several, in the place of an answer. Stronger claims overrule weaker ones; among
equals, and after a correction ("wait, no"), the last one stands. So an explanation that follows the
answer does not overrule it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evalmake.harnesses.native.answers.lists import find_conclusion, find_listed, judge_list, split_list
from evalmake.harnesses.native.answers.option_marks import GROUP, LETTER_MARK, MARK, NONE, TEXT_MARK, option_of
from evalmake.harnesses.native.answers.reading import Claim, Reading, Strength
from evalmake.harnesses.native.answers.reply_text import FRAME
from evalmake.lazy_pattern import compile_on_use


# The outline's letters are listed in `words.ROLES`; here "m" is any mark.
def _pattern(text: str) -> re.Pattern[str]:
    return compile_on_use(text.replace("m", MARK).replace("F", FRAME))


_GROUP = _pattern(GROUP)
# A sentence, or a part of a very long one, so that no pattern sees more than some hundred letters.
_CLAUSE = compile_on_use(r"([^.?]{0,300})([.?]|$|)")
_THIN = "[fI:,(vAOsc&|F-]*"  # what may stand between the word "answer" and the answer
# Or anything that ends in a link: "the answer to the first question is".
_LINKED = "[I:s][fO(,|-]*"

# Before a group: "not the option ...", "wrong answer: ...".
_DENIED_BEFORE = _pattern(r"n(?:[fIO(vc]*(?:gf*)?|cf*s?[fIOvA]*)$")
_REJECTED_LIST = _pattern(r"(?<!dI)x[fAwO]{0,3}:[f(]*$|^n(?:f+w|-w|f*v):[f(]*$")  # "Incorrect: A, B", "not a prime: A"
_REJECTED_BEFORE = _pattern(r"(?<!dI)x[fAO]*[I:]?[f(]*$")  # but "statement 2 is wrong: B"
# After a group: "is wrong", "isn't ...", "- no", Japanese and Korean "... is not".
_REJECTED_AFTER = _pattern(r"^[-:(]*[fIOjg]{0,3}(?:w{0,2}x|[fIw]?n(?!w)|[fI]n|[,f]*N|w?[-(:,]+x|v[fj]*n)")
# After a group: "is the right answer", "is correct", "✓"; but not "is the right bank of ...".
_AFFIRMED_AFTER = _pattern(r"^[-:(]*(?:[fI]+[ws]?(?:v[fOv]*A?|f*A)|v[Ofv]*A?)(?![wmn])")
_QUALIFIED = compile_on_use(r"^[fIv]*,?b[fg]*n")  # "A is true, but it does not answer"
_PLAINLY_AFFIRMED = _pattern(r"^[-:(]*(?:[fI]+[ws]?)?v[fOv]*A?(?=$|[-,)j])")
_EXPLAINING = compile_on_use(r"j|[,-](?:g|b?s?h)")  # "because", "while": before what a claim is reasoned with
_CONCEDING = compile_on_use("[fkb,]*g[fO]*$")  # "While A is correct, C is the answer"
# "The capital is Rome, which is far from Paris": the second text only describes the first.
_DESCRIBED = compile_on_use(rf"[fw]*I{TEXT_MARK},s[fw]*g[^A]*$")
_PAIR_DENIED = _pattern("(m),f?(m)N")  # Turkish "C, A değil": C, not A
_CUE_WORD = _pattern("[AF]")
_DENIES_NEXT = compile_on_use(r"^[-,b:(]*[nx][fIO:(]*$")  # in "B, not A" the word belongs to A
_DENIES_OTHERS = _pattern(r"^[-,b:(&]*[nx][fIO:(]*m")
_CONTRAST = compile_on_use("[,-]b")  # "it would be A if it rained, but ..."
_IF_ONLY = compile_on_use("^h.*,b")
# A group that a sentence speaks of: "for x = 5 is ...".
_SUBJECT = compile_on_use(r"^w?I[fO]*$")
# "A common wrong answer is", "not the answer".
_WRONG_CUE = _pattern(r"x[fO]*A[^A]*$|n[fvO]*A[fI:]*$")
# What announces an answer: a frame, "the answer is", "the right option", "the option is", a check mark.
_CUE = _pattern(
    rf"(F)[f:,(AIOsv-]*$|^[(fj]{{0,3}}vI[fO:]*$|A(?:{_THIN}|.*{_LINKED})$|v[fO]*O[fI:]*$|O.*[I:][f(]*$|^v[-:]?$"
)
_SEPARATED_CUE = _pattern(r"(?:F|[AO][^n]*[:I])[fO(]*$")
_BARE_CUE = _pattern(r"[AO][fO]*$")  # "answer B ..." may go on to say what B is
# After a rejected group in a clause with a cue: "(the answer is not A) but".
_NEXT_IN_CUE = _pattern(rf"^[-,b&|(fN]*[fIOs:(]*$|{_LINKED}$")
_CONCLUDED = _pattern(
    r"[sp][f:,IO(sp-]*$|c[f:,IO(cs-]*$|^[kb,f]*s.*[I:][fO]*$"  # "so B", "I choose B", "so the capital is B"
    r"|k[f:,sIO(k-]*$|(?:^|[,-])[nx][,:][fIs(]*$|N[,fs]*$|,s[^,]*[I:][fO]*$"  # "wait, B", "no, B", "not A: B"
    r"|^f*I+[fO]*$|^[wfn]*,?b[fs,]*$"  # "Es la B", "not sure, but B"
)
_ONLY_CONCLUDED = compile_on_use("^[f&b]?s[sf,:]*$")  # "A, B and C are right. Therefore, D."
# After a group that ends a statement, and does not begin one about the option.
_OPEN_END = compile_on_use(r"^(?:$|[-,:(jbvkc]|If*v|[fI)]*$|I?s)")
# In any language, what ends "...: B" is an answer; and so is a clause of nothing but fillers and an option.
_COLON_BEFORE = _pattern(r":[f(O]*$")
_BARE_CLAUSE = _pattern(r"^[fIOks,:(v-]*$")
# "Wait", "no,": in a clause of its own; and before a group.
_CORRECTION = compile_on_use(r"k|(?:^|[,-])[fw]?[nx](?:[,:]|$)")
_CORRECTION_AFTER = compile_on_use(
    r"[,-](?:k[,f]*)+n$|[,-]k[,f]*k|[,-]k,?s"
)  # "A... Wait, actually, no.", "wait, it's"
_CORRECTED = compile_on_use(r"k|(?:^|[,-])[fw]?[nx][,:]")
_ANNOUNCING_LINE = _pattern(r"([AF][fI:,vAO-]{0,80}|[scx]f{0,80}:)\n")  # bounded: a line of thousands of words
# A reply that was cut off before it came to the second option: "Option A is".
_CUT_AT_FIRST = compile_on_use(f"{LETTER_MARK}[^.?\\n]*[Igj&|,:O]$", re.MULTILINE)
_BARE_LINE = _pattern(r"^[fO]*m[-.,]*$")
_PREDICATE = compile_on_use("^[^hk?]*w[fw]*I[fO]*$")
# "The statement that is not true is", "the statement that is false is".
_SET_APART_BEFORE = compile_on_use(r"^[^hk?]*[sj,]f*nf*[^n,.?A]*[wv][^n,?A]*I[fO:(]*$|^[^hk?A]*[Ow][sj]f*I?xI[fO:(]*$")
# "Is false, so it is the answer".
_SET_APART_AFTER = compile_on_use(r"^-?If*(?:x|nf*[vw]{1,3}),&?[sjgfI]{1,6}v?[AO]")
# "The false statement is", "wrong option:", "not a prime:".
_DENIED_AS = compile_on_use(r"^[^hk?A]*(?:Oxf*|xw?O|xw)I[fO:(]*$|^[f(]*xO?:f*$|^n(?:f+w|-w|f*v):f*$")
# "Is not a mammal", "is the false statement", "is the one that isn't"; but not "is not the answer".
_DENIED_OF = compile_on_use(
    r"^[-:(]{0,3}(?:[fIOgs]{0,4}w?(?:x(?![fw]?A)|[nN](?!.*A|[fv]*O))|jwx|[fIOg]{0,4}[fvw]{1,4}N)"
    r"|^-?I(?:f+|(?=O))[Ow]?(?:[sj]f*I?)?(?:x(?![fw]?A)|n(?!.*A))"
    r"|^-?I[fgw]{1,6},n[fgw]*$|^-?[gI][fgIw]{1,9}[,&]{1,2}s[fIgs]{0,4}n(?!.*A)"
)
_STATED_BEFORE = compile_on_use("^[^hk?]*w[fwg]*I[fO]*$")
_EQUATION = compile_on_use(
    rf"f*{TEXT_MARK}(?:(?:[&x-]+{TEXT_MARK})+:{TEXT_MARK}|(?:{TEXT_MARK})*:{TEXT_MARK}[.]*$)"
)  # "2 + 2 = 4"
_START = _pattern(r"^[kfs,:O(.A&|-]*$")


def read_claims(outline: str, count: int) -> Reading:
    """Read an outline of a reply to a question with `count` options."""
    reading = Reading()
    lines = split_list(_join_lines(outline), count).split("\n")
    listed = find_listed(lines)
    first = next((number for number, line in enumerate(lines) if re.search(MARK, line)), None)
    conclusion = find_conclusion(lines, listed)
    for number, line in enumerate(lines):
        if number == first and (claim := _read_start(number, lines, listed)):
            reading.add(claim)
        for clause, end in _split(line):
            _read_clause(clause, end, len(listed) > 1 and bool({number, number + 1} & listed.keys()), reading)
        beside_list = {number - 1, number + 1} & listed.keys() and number != conclusion
        if number != first and not beside_list and (claim := _read_line(line)):
            reading.add(claim)
    if reading.claim is None and len(listed) > 1:
        judge_list(lines, listed, reading)
    return reading


def read_clauses(outline: str) -> Reading:
    """Read an outline in which nothing but words tells an answer: no lists, no lines of their own."""
    reading = Reading()
    for line in _join_lines(outline).split("\n"):
        for clause, end in _split(line):
            _read_clause(clause, end, True, reading)
    return reading


def _join_lines(outline: str) -> str:
    """Join a line that announces the answer with the next one."""
    return _ANNOUNCING_LINE.sub(r"\1", outline)


def _split(line: str) -> Iterator[tuple[str, str]]:
    for found in _CLAUSE.finditer(line):
        if found[0]:
            yield found[1], found[2]


@dataclass(frozen=True, slots=True)
class _Group:
    """Options that are named together in a clause, and the words around them."""

    text: str
    lead: str
    """The clause before the group."""
    before: str
    """Between the group before and this one."""
    after: str
    """Between this group and the next."""
    followed: bool
    """Whether another group follows."""
    asked: bool
    """Whether the clause is a question."""

    @property
    def options(self) -> frozenset[int]:
        """The indices of the options."""
        return frozenset(map(option_of, re.findall(MARK, self.text)))


def _read_clause(clause: str, end: str, listed: bool, reading: Reading) -> None:
    """Read the options in a clause, in order."""
    groups = _find_groups(clause, end)
    if not groups and _CORRECTION.search(clause):
        reading.doubted = reading.claim is not None
    cue_open = claims = False
    if _DESCRIBED.match(clause):
        groups = groups[:1]
    for group in groups:
        if _CORRECTED.search(group.before):
            reading.doubted = reading.claim is not None
        options = _keep_standing(group)
        if not group.asked and (_SET_APART_BEFORE.search(group.lead) or _SET_APART_AFTER.search(group.after)):
            reading.set_apart |= group.options
        elif not group.asked and _is_denied(group):
            reading.denied |= group.options
        if options != group.options:
            reading.reject(group.options - options)
        if not options:
            cue_open = cue_open or bool(_CUE_WORD.search(group.before))
            continue
        reading.mentioned += [mark for mark in re.findall(MARK, group.text) if _is_mention(mark, group, options)]
        if _PREDICATE.search(group.lead) and re.match(rf"{TEXT_MARK}$", group.text) and re.match("$|[,-]", group.after):
            reading.predicates |= options
        if len(options) > 1 and not group.asked and _is_stated(group):
            reading.stated.add(options)
        strength = _measure(group, cue_open)
        if strength is None and not listed and len(groups) == 1 and _is_bare(group):
            strength = Strength.CONCLUDED
        cue_open = (cue_open or bool(_CUE_WORD.search(group.before))) and not (
            strength and strength > Strength.REPORTED
        )
        if strength is not None:
            claim = _make_claim(group, options, strength)
            explains = claims and _EXPLAINING.search(group.before)
            if claim.is_assent and (explains or (group.followed and _CONCEDING.match(group.lead))):
                continue  # "C is correct because B is correct for England"
            if (_PLAINLY_AFFIRMED.search(group.after) or group.before == "v") and strength != Strength.REPORTED:
                reading.affirmed |= options
            elif strength == Strength.ANNOUNCED and _CUE.search(group.before):
                reading.affirmed.clear()  # "A and C are true, but the answer is C"
            reading.add(claim)
            claims = claims or strength > Strength.REPORTED
    if groups and _CORRECTION_AFTER.search(groups[-1].after):
        reading.doubted = reading.claim is not None


def _find_groups(clause: str, end: str) -> list[_Group]:
    bounds = [part for found in _GROUP.finditer(clause) for part in _split_repeated(found)]
    edges = [0, *(stop for _, stop in bounds)], [*(start for start, _ in bounds), len(clause)]
    return [
        _Group(
            text=clause[start:stop],
            lead=clause[:start],
            before=clause[edges[0][number] : start],
            after=clause[stop : edges[1][number + 1]],
            followed=number + 1 < len(bounds),
            asked=end == "?",
        )
        for number, (start, stop) in enumerate(bounds)
    ]


def _split_repeated(group: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The bounds of a group; of two, where it begins again ("of A, B and C, B is right") or ends in a denial."""
    if (pair := _PAIR_DENIED.fullmatch(group.string, group.start())) is not None:
        yield from (pair.span(1), pair.span(2))
        return
    seen: set[int] = set()
    start = group.start()
    for found in re.finditer(f",?({MARK})", group[0]):
        option = option_of(found[1])
        if option in seen and found[0].startswith(","):
            yield start, group.start() + found.start()
            start, seen = group.start() + found.start(1), set()
        seen.add(option)
    yield start, group.end()


def _is_bare(group: _Group) -> bool:
    return bool(_BARE_CLAUSE.match(group.before) and _BARE_CLAUSE.match(group.after))


def _is_denied(group: _Group) -> bool:
    """Whether a sentence denies something of options, be it that they are right."""
    if re.search("[hk]", group.lead) or _DENIED_BEFORE.search(group.before):
        return False
    if group.followed and re.search(r"[nx][fIO:(]*$", group.after):
        return False  # "C rather than A"
    return bool(_DENIED_AS.search(group.lead) or _DENIED_OF.search(group.after))


def _is_stated(group: _Group) -> bool:
    """Whether a sentence states something of several options together."""
    if re.search("[|p+]", group.text):
        return False
    is_subject = _BARE_CLAUSE.match(group.lead) and re.match("-?f*[Iw]", group.after)
    return bool(is_subject or (_STATED_BEFORE.search(group.lead) and re.match("-?(?:$|[-,:(])", group.after)))


def _is_mention(mark: str, group: _Group, options: frozenset[int]) -> bool:
    """Whether a mark is of these options, and no part of a name ("vitamin C")."""
    return option_of(mark) in options and not (group.before.endswith("w") and re.match(LETTER_MARK, mark))


def _keep_standing(group: _Group) -> frozenset[int]:
    """The options of a group that the words around them do not reject."""
    first, *others = re.findall(MARK, group.text)
    denied_before = _DENIED_BEFORE.search(group.before)
    if denied_before and re.match("[fI]*w?x", group.after):
        return group.options  # "all except B are wrong"
    if _AFFIRMED_AFTER.search(group.after) and not denied_before:
        return group.options
    if _REJECTED_LIST.search(group.before):
        return frozenset()
    if denied_before or _REJECTED_BEFORE.search(group.before):
        only_second = (
            len(others) == 1
            and not re.search(MARK, group.lead)
            and "," in group.text
            and not re.search("[&|]", group.text)
        )
        return frozenset(map(option_of, others)) if only_second else frozenset()  # "not A, B"
    denied = _REJECTED_AFTER.search(group.after)
    if not denied or (group.followed and _DENIES_NEXT.match(group.after)):
        return group.options
    if re.match(f"{MARK}-?,", group.text) and "&" in group.text and _SEPARATED_CUE.search(group.before):
        return frozenset({option_of(first)})  # "Answer: B, A and C are wrong"
    return frozenset()


def _measure(group: _Group, cue_open: bool) -> Strength | None:
    """The strength of the claim that the words around a group make; None if they claim nothing."""
    before, after = group.before, group.after
    if group.followed and _SUBJECT.match(after):
        return None  # "for x = 5 the answer is 42"
    cue = _CUE.search(before)
    affirmed = _AFFIRMED_AFTER.search(after)
    if cue and cue[1]:
        return None if re.match("-?[Iw]", after) and not affirmed else Strength.FRAMED
    announced = cue and not _WRONG_CUE.search(before) and (not _BARE_CUE.search(before) or _OPEN_END.search(after))
    found = None
    denied_twice = _DENIED_BEFORE.search(before)  # as it stands, though it is denied
    if announced or affirmed or denied_twice or (cue_open and _NEXT_IN_CUE.search(before)):
        found = Strength.ANNOUNCED
    elif (_CONCLUDED.search(before) and _OPEN_END.search(after)) or (
        _COLON_BEFORE.search(before) and after in ("", "-")
    ):
        found = Strength.CONCLUDED
    if group.lead.startswith("h") and before.endswith(",") and after == "":
        return Strength.REPORTED  # "Unless A is true, C"
    conditional = (
        "h" in _CONTRAST.split(group.lead)[-1]
        or (group.followed and _IF_ONLY.search(after))
        or (not cue and _QUALIFIED.search(after))
        or (found == Strength.ANNOUNCED and not cue and "h" in after)
    )
    return Strength.REPORTED if found and (conditional or group.asked) else found


def _read_start(first: int, lines: Sequence[str], listed: dict[int, int]) -> Claim | None:
    """The claim of a reply that begins with its answer: "B. London is ..."."""
    line = lines[first]
    group = _GROUP.search(line)
    if group is None or not _START.match(line[: group.start()]):
        return None
    after = line[group.end() :]
    rejected = _REJECTED_AFTER.search(after) and not _DENIES_OTHERS.match(after)
    if not re.match(r"$|[-.,:(j&]|s$", after) or rejected or _EQUATION.match(line, group.start()):
        return None
    options = frozenset(map(option_of, re.findall(MARK, group[0])))
    others = [option for number, option in listed.items() if number > first]
    goes_through = options == {0} and others[:1] == [1] and lines[first] not in (group[0], group[0] + ".")
    if others and (goes_through or all(map(_BARE_LINE.match, lines[first:]))):
        return None  # the reply goes through the options one by one
    return _make_bare_claim(group[0], options, Strength.ANNOUNCED)


def _read_line(line: str) -> Claim | None:
    """The claim of a line that is nothing but an answer."""
    group = _GROUP.search(line)
    if group is None or not re.match(r"^[-fksI:,O(A]*$", line[: group.start()]):
        return None
    if not re.match(r"^[-fIv:,.]*$", line[group.end() :]):
        return None
    options = frozenset(map(option_of, re.findall(MARK, group[0])))
    return _make_bare_claim(group[0], options, Strength.CONCLUDED if "+" in group[0] else Strength.ANNOUNCED)


def _make_claim(group: _Group, options: frozenset[int], strength: Strength) -> Claim:
    led = _CUE.search(group.before) or _CONCLUDED.search(group.before) or _DENIED_BEFORE.search(group.before)
    return replace(
        _make_bare_claim(group.text, options, strength),
        is_assent=strength == Strength.ANNOUNCED and not led,
        concludes=bool(_ONLY_CONCLUDED.match(group.lead)) and not group.after,
    )


def _make_bare_claim(group: str, options: frozenset[int], strength: Strength) -> Claim:
    return Claim(options, strength, len(options) > 1 and re.search("[|p]", group) is not None)


def find_only_mention(reading: Reading, outline: str) -> frozenset[int]:
    """The only option that a reply without any claim mentions, or of which it says something; empty if there is none.

    Options mentioned by their texts go before those by their letters. Of several it must say the same.
    """
    if len(reading.predicates) == 1:
        return frozenset(reading.predicates)
    if len(reading.stated) == 1:
        return next(iter(reading.stated))
    marks = [mark for mark in reading.mentioned if option_of(mark) not in reading.denied]
    if set(map(option_of, marks)) == {0} and _CUT_AT_FIRST.search(outline):
        return frozenset()
    marks = [mark for mark in marks if option_of(mark) != NONE]
    texts = frozenset(option_of(mark) for mark in marks if re.match(TEXT_MARK, mark))
    found = texts or frozenset(map(option_of, marks))
    return found if len(found) == 1 else frozenset()

"""Turns a reply into an outline: one letter for each word's role, one mark for each option that it mentions.

"The answer is not (A), it's B." becomes "fAIn⟨A⟩,s⟨B⟩.". `claims` reads outlines, and so knows no
language: the words are data (`words`). All steps take time linear in the reply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from evalmake.harnesses.native.answers.listed_letters import find_listed_letters
from evalmake.harnesses.native.answers.option_marks import BY_LETTER, BY_TEXT, MARK, TEXT_MARK, option_of
from evalmake.harnesses.native.answers.option_ordinals import mark_ordinal_words, names_place
from evalmake.harnesses.native.answers.outline_idioms import drop_partial_assent, merge_pairs, simplify
from evalmake.harnesses.native.answers.quantifiers import drop_quantifiers, mark_quantifiers
from evalmake.harnesses.native.answers.reply_text import (
    FRAME,
    drop_reasoning,
    drop_reserved,
    fold,
    shorten,
    strip_markup,
)
from evalmake.harnesses.native.answers.verdicts import repeat_verdicts
from evalmake.harnesses.native.answers.words import HOMOGLYPHS, LETTER_ROWS, NAMED, ORDINAL_ROWS, ROLES, WORDS
from evalmake.harnesses.native.right_options import LETTERS
from evalmake.harnesses.native.text_folding import UNSPACED, UNSPACED_RANGE, is_part
from evalmake.lazy_pattern import compile_on_use


def outline(reply: str, options: Sequence[str]) -> str:
    """The outline of a reply to a question with these options.

    Words for their places ("the second one") count where it names none by letter or text.
    """
    text = _tick_bold_option(drop_reserved(shorten(drop_reasoning(reply))), len(options))
    text = strip_markup(fold(_mark_ordinals(text, len(options))))
    found = _outline(_mark_texts(text, options), options)
    if re.search(MARK, found):
        return found
    by_place = mark_ordinal_words(text, len(options))
    return found if by_place == text else _outline(by_place, options)


def _outline(text: str, options: Sequence[str]) -> str:
    """The outline of a folded text in which the options' texts are marked."""
    marks = {letter: chr(BY_LETTER + index) for index, letter in enumerate(LETTERS[: len(options)])}
    for index, option in enumerate(options):
        if sorted(map(str.casefold, options)) in _BINARY:  # "T" is True
            marks.setdefault(option[0].upper(), chr(BY_TEXT + index))
        if len(option) == 1 and option in LETTERS:  # a text that is a letter, but no option's: "O" of four
            marks.setdefault(option, chr(BY_TEXT + index))
    for index, option in enumerate(options):
        if len(option) == 1 and option.isascii() and option.islower() and option.upper() not in marks:
            marks.setdefault(option, chr(BY_TEXT + index))  # "y" of "x" and "y"; not the pronoun of "I say y"
    text = drop_partial_assent(merge_pairs(_Encoder(text, marks).encode()))
    text = mark_quantifiers(text, [_Encoder(fold_option(option), {}).encode() for option in options])
    return simplify(text, len(options))


def encode(text: str) -> str:
    """The outline of a text in which marks stand already."""
    return drop_quantifiers(repeat_verdicts(drop_partial_assent(_Encoder(text, {}).encode())))


def names_exception(reply: str) -> bool:
    """Whether a reply has a word for an exception."""
    text = strip_markup(fold(drop_reserved(shorten(drop_reasoning(reply)))))
    return re.search("E|e[fOA]{0,9}b", _Encoder(text, {}).encode()) is not None


def fold_option(option: str) -> str:
    """An option's text as it stands in a folded reply."""
    return strip_markup(fold(option)).replace(FRAME, "").replace("\n", " ").strip(" .,;:!?'\"")


def _tick_bold_option(text: str, count: int) -> str:
    """A text with a check mark at the only option in bold type, if it lists all options."""
    entries = list(_ENTRY.finditer(text))
    bold = [entry for entry in entries if _BOLD.fullmatch(entry[0])]
    if len(entries) != count or len(bold) != 1:
        return text
    return f"{text[: bold[0].end()]} ✓{text[bold[0].end() :]}"


# --- marks of options by their text


def _mark_ordinals(text: str, count: int) -> str:
    """Mark circled numbers before NFKC makes digits of them."""
    table = {ord(row[i]): chr(BY_LETTER + i) for row in ORDINAL_ROWS for i in range(min(count, len(row)))}
    return text.translate(table)


def _mark_texts(text: str, options: Sequence[str]) -> str:
    """Mark each option's text where it stands as whole words, the longest options first."""
    folded = [fold_option(option) for option in options]
    for index in sorted(range(len(options)), key=lambda index: -len(folded[index])):
        option = folded[index]
        if option and not (len(option) == 1 and option.isascii() and option.isalpha()):  # letters are read as letters
            text = _mark_text(text, option, chr(BY_TEXT + index))
    return text


def _mark_text(text: str, option: str, mark: str) -> str:
    def replace(found: re.Match[str]) -> str:
        before, after = text[max(0, found.start() - 2) : found.start()], text[found.end() : found.end() + 2]
        return found[0] if is_part(before, option, after) else mark

    return re.sub(re.escape(option), replace, text, flags=re.IGNORECASE)


# --- words to roles

_LETTER = f"[^\\W\\d_{UNSPACED_RANGE}]|[\u0300-\u036f\u064b-\u065f\u0900-\u0dff]"
_TOKEN = compile_on_use(
    rf"(?P<mark>{MARK}|{FRAME})|(?P<word>(?:{_LETTER})+(?:'(?:{_LETTER})+)*)|(?P<run>[{UNSPACED_RANGE}]+)"
    r"|(?P<number>\d[\d.,]*(?<=\d)\w*)|(?P<sign>[-=]+>|\.{3}|…|\S|\n)"
)
_SIGNS = (
    dict.fromkeys(".!…。}", ".")
    | {
        "...": ",",
        ";": ";",
        "?": "?",
        ",": ",",
        "(": "(",
        "\n": "\n",
        "&": "&",
        "+": "&",
        "/": "&",
        "=": ":",
        ":": ":",
        "→": ":",
    }
    | dict.fromkeys("-–—~", "-")
    | dict.fromkeys("✓✔✅☑👍🟢", "v")
    | dict.fromkeys("✗✘❌✖🚫👎🔴×", "x")
)
_VERDICT_SIGNS = frozenset(sign for sign, role in _SIGNS.items() if role in ("v", "x"))
_OPENING, _CLOSING = "([{\"'「『【〈《<", ")]}\"'」』】〉》>"
_NAMED = frozenset(NAMED.split("|"))
_DASHED = compile_on_use("[AOv]-$")  # "the right answer - b"
_FLAGGED = compile_on_use(rf"{MARK}[-:(]{{1,2}}$")
_LABELLED = compile_on_use(rf"{MARK}[-:]{{0,2}}\Z")
_FLAGS = {"T": "v", "F": "x", "Y": "v", "N": "x"}  # "A: T, B: F"
_BINARY = (["false", "true"], ["no", "yes"])
_VERBS = ("fits", "works", "matches", "makes", "best", "applies", "holds")  # "A fits", "A best describes it"
_AFTER_WORD, _LOWER = compile_on_use("[a-z] "), compile_on_use(" [a-z]")
_ARTICLES = "AEIOY"  # letters that are words of some language
_BETWEEN = {"of": "|", "a": "&", "i": "&"}  # Dutch "or", Czech and Polish "and": between two letters only
_STRICT = HOMOGLYPHS | {char: LETTERS[i] for row in LETTER_ROWS for i, char in enumerate(row)}


@cache
def _phrases() -> tuple[dict[str, str], dict[str, list[tuple[tuple[str, ...], str]]], dict[str, list[tuple[str, str]]]]:
    """The table for look-ups: single words; phrases by their first word; unspaced words by their first character."""
    words: dict[str, str] = {}
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    unspaced: dict[str, list[tuple[str, str]]] = {}
    for roles in WORDS.values():
        for role, listed in roles.items():
            for phrase in listed.casefold().split("|"):
                first, *rest = phrase.split()
                if UNSPACED.match(phrase):
                    unspaced.setdefault(phrase[0], []).append((phrase.replace(" ", ""), ROLES[role]))
                elif rest:
                    phrases.setdefault(first, []).append((tuple(rest), ROLES[role]))
                else:
                    words.setdefault(phrase, ROLES[role])
    for listed_phrases in phrases.values():
        listed_phrases.sort(key=lambda one: -len(one[0]))
    for listed_words in unspaced.values():
        listed_words.sort(key=lambda one: -len(one[0]))
    return words, phrases, unspaced


class _Encoder:
    """Encodes one text, token by token."""

    def __init__(self, text: str, letters: Mapping[str, str]) -> None:
        self.text, self.letters = text, letters
        self.tokens = [(found.lastgroup, found[0], found.start(), found.end()) for found in _TOKEN.finditer(text)]
        self.words, self.phrases, self.unspaced = _phrases()
        self.roles: list[str] = []
        self.listed = find_listed_letters(self.tokens, letters, self._find_role) if letters else frozenset()

    def encode(self) -> str:
        """The outline."""
        at = 0
        while at < len(self.tokens):
            kind, token, _, _ = self.tokens[at]
            taken = 1
            if kind == "mark":
                self.roles.append(token)
            elif kind == "sign":
                self.roles.append(self._read_sign(at, token))
            elif (len(token) == 1 or token[1] == "'" or token.isupper() or len(self.tokens) <= 2) and (
                letters := self._read_letters(at)
            ):
                self.roles.append(letters)
            elif token in _FLAGS and _FLAGGED.search("".join(self.roles[-4:])):
                self.roles.append(_FLAGS[token])
            elif kind == "word":
                role, taken = self._find_role(at)
                self.roles.append(role)
            elif kind == "run":
                self.roles.append(self._encode_run(token))
            else:
                self.roles.append("d")
            at += taken
        return "".join(self.roles)

    def _read_sign(self, at: int, token: str) -> str:
        following = self._next_kind(at)
        if token in _VERDICT_SIGNS and following and (following != "sign" or self.tokens[at + 1][1] == "("):
            if token == "×" and at and {self.tokens[at - 1][0], following} <= {"number", "mark"}:
                return "w"  # 2 × 3
            if _LABELLED.search("".join(self.roles[-4:])):
                return _SIGNS[token] + "-"  # "A) 2 ✅ prime": the word after the sign is a remark
        if token in _VERDICT_SIGNS and self.roles and self.roles[-1] == "w":
            return "-" + _SIGNS[token]  # "not prime ❌" says the same twice
        return ":" if token.endswith("=>") else _SIGNS.get(token, "")

    def _find_role(self, at: int) -> tuple[str, int]:
        """The role of the word or the phrase that begins at a token, and its number of tokens."""
        word = self.tokens[at][1].casefold()
        if word in _BETWEEN and re.match(MARK, "".join(self.roles[-1:])) and self._names_letter(at + 1):
            return _BETWEEN[word], 1
        for rest, role in self.phrases.get(word, ()):
            if all(
                at + step < len(self.tokens) and self.tokens[at + step][1].casefold() == other
                for step, other in enumerate(rest, 1)
            ):
                return role, 1 + len(rest)
        return self.words.get(word, "w"), 1

    def _encode_run(self, run: str) -> str:
        """The roles in a run of text without spaces: at each place the longest word that the table has."""
        roles, at = [], 0
        while at < len(run):
            found = next((one for one in self.unspaced.get(run[at], ()) if run.startswith(one[0], at)), None)
            roles.append(found[1] if found else "w")
            at += len(found[0]) if found else 1
        return re.sub("w+", "w", "".join(roles))

    def _read_letters(self, at: int) -> str | None:
        """The marks of a token that names options by letter; None if it is a word or anything else."""
        kind, token, start, end = self.tokens[at]
        if len(token) == 1:
            letter = token if token in self.letters else _STRICT.get(token, token).upper()
            if letter in self.letters and self._is_label(at, token, start, end):
                closed = self.text[end : end + 1] in (")", "]", "}")
                listed = self._begins_line(start) and re.match(r"\s?[.:)\]]", self.text[end : end + 2])
                return self.letters[letter] + ("-" if listed or closed else "")
            return None
        if kind == "word" and token[1:2] == "'" and token[0] in self.letters:
            return self.letters[token[0]] if re.fullmatch(".'[dt][ıiuü]r", token) else None  # Turkish "C'dir"
        if kind == "word" and len(self.tokens) <= 2 and token.islower():
            return self._read_joined(token.upper(), start, end)  # "ac" is the whole reply
        return self._read_joined(token, start, end) if kind == "word" and token.isupper() else None

    def _read_joined(self, token: str, start: int, end: int) -> str | None:
        """The marks of letters that are written together, as "AC", where only an answer can stand."""
        if not self.letters.keys() >= set(token) or list(token) != sorted(set(token)):
            return None
        announced = self._begins_line(start) or self._role_before() in (FRAME, ":", "I", "A", "c", "s", ".")
        return "".join(self.letters[letter] for letter in token) if announced and self._ends_here(end) else None

    def _is_label(self, at: int, token: str, start: int, end: int) -> bool:
        """Whether a single letter names an option, and is no word: the rules are tried in this order."""
        before, after = self.text[max(0, start - 2) : start], self.text[end : end + 2]
        if self._is_in_name(before, self.text[end : end + 3]) or self._follows_name(at):
            return False
        if before[-1:] and before[-1:] in _OPENING and after[:1] and after[:1] in _CLOSING:
            return not (token.islower() and before[:1].isascii() and before[:1].islower())  # (b), not "student(s)"
        if at in self.listed or (after.strip()[:1] in _VERDICT_SIGNS and self._begins_line(start)):
            return True
        if after[:1] == ")" or (self._begins_line(start) and re.match(r"\s?[.:)\]](?!\w)", self.text[end : end + 3])):
            return True  # "b) "; "b. " begins a line
        if token.isascii() and token.isupper():
            return token not in _ARTICLES or self._is_no_article(at, token, start, end)
        if self._role_before() == "." and self._ends_here(end):
            return True  # a sentence of its own
        if self.roles[-2:] == ["I", "f"] and self._ends_here(end):
            return True  # "la respuesta es la a"
        announced = self._role_before() in ("O", "A", "I", ":", "s", "c", ".", FRAME, "") or self._begins_line(start)
        announced = announced or _DASHED.search("".join(self.roles[-4:])) is not None
        if not announced:
            return False
        if (
            (self._begins_line(start) or self._role_before() == ".")
            and token not in "aeioy"
            and self._next_role(at) in ("I", "v", "j", "c")
        ):
            return True  # "b is correct"
        noun = self._role_before() in ("O", "A") and token.isascii() and token != "a"
        return noun or self._ends_here(end)

    def _is_in_name(self, before: str, after: str) -> bool:
        """Whether the neighbours of a letter make it a part of a name or word: U.S.A, N/A, B-side, I'm, C++."""
        if before[1:] in (".", "/", "-") and before[:1].isalnum():
            return not (before[1:] == "/" and before[:1].upper() in self.letters)
        if after[:1] == "-" and after[1:2].isalnum():
            return True
        if after[:1] == "." and after[1:2].isalnum() and not after[2:].isalpha():
            return True
        if before[-1:] == "'":
            return after[:1] != "'"
        return after[:1] in ("+", "#") and not after[1:2].isalnum()

    def _follows_name(self, at: int) -> bool:
        """Whether a letter goes on with a name: "Plan B", "groups A and B"."""
        first = at
        while first >= 2 and at - first < 6 and self.tokens[first - 1][1] in ("and", "or", "&"):
            first -= 2
        return first > 0 and self.tokens[first - 1][1].casefold() in _NAMED

    def _is_no_article(self, at: int, token: str, start: int, end: int) -> bool:
        """Whether a capital that is also a word ("A dog", "I think") stands as a letter."""
        if self._next_kind(at) == "run" and self.tokens[at + 1][2] == end:
            return True
        if self._ends_here(end) or self.text[end : end + 2].strip()[:1] in _VERDICT_SIGNS | set(",:-–—=→(/&+"):
            return True
        if self._next_kind(at) == "mark":  # "A nucleus" names the option "nucleus", whatever its letter
            mark = self.tokens[at + 1][1]
            return not re.match(TEXT_MARK, mark) or option_of(mark) == option_of(self.letters[token])
        if self._names_letter(at + 1) or (self._names_letter(at + 2) and self.tokens[at + 1][1] in _BETWEEN):
            return True
        if self._next_kind(at) == "word" and self.tokens[at + 1][1] in ("only", "alone"):
            return True
        following = self._next_role(at)
        before = self.text[max(0, start - 2) : start]
        if token == "A" and _AFTER_WORD.match(before) and _LOWER.match(self.text, end) and following == "w":
            return True  # "only A produces ATP": an article would be lower-case, too
        if following in ("v", "x") and self._next_kind(at + 1) in ("sign", None):
            return True  # "A true, B false"
        if following in ("v", "g") and self.tokens[at + 1][1] in _VERBS:
            return True
        if token == "I":
            return following in ("I", "|", "&") and self.tokens[at + 1][1] != "am"
        if following == "O" and self._role_before() == ":":
            return True  # Turkish "A şıkkı"
        if following in ("I", "j", "g", "|", "&", "n", "N", "b", "k"):
            return self.tokens[at + 1][1] != "no" and not names_place(self.tokens[at + 1][1])
        return (before[:1].isalnum() and before[-1:] == " " and following != "w") or self._role_before() in ("c", "O")

    def _names_letter(self, at: int) -> bool:
        return at < len(self.tokens) and len(self.tokens[at][1]) == 1 and self.tokens[at][1] in self.letters

    def _next_kind(self, at: int) -> str | None:
        return self.tokens[at + 1][0] if at + 1 < len(self.tokens) else None

    def _next_role(self, at: int) -> str:
        match self._next_kind(at):
            case "word":
                return self._find_role(at + 1)[0]
            case "run":
                return self._encode_run(self.tokens[at + 1][1][:8])[0]
        return ""

    def _role_before(self) -> str:
        """The role of the last word before; brackets do not count."""
        for role in reversed(self.roles[-4:]):
            if role and role != "(":
                return role[-1]
        return ""

    def _begins_line(self, start: int) -> bool:
        return self.text[max(0, start - 2) : start].removesuffix("(")[-1:] in ("", "\n")

    def _ends_here(self, end: int) -> bool:
        return re.match(r"\s?(?:[.,;:!?)\]}\"'…。」\n]|$)", self.text[end : end + 2]) is not None


_ENTRY = compile_on_use(r"^(?:<\w{1,9}>)?[-*>_ \t(]{0,9}[A-Z][.):] .{1,300}$", re.MULTILINE)
_BOLD = compile_on_use(r"(?:<\w{1,9}>)?[-*> \t]{0,4}(\*\*|__).*\1[ \t]*")

"""Notes after a result, whose numbers are no answers: a remark, a check, an assumption, an offer of help, advice."""

from __future__ import annotations

import re
from itertools import islice

from evalmake.harnesses.native.answers.numbers.sentence import CONCLUSION
from evalmake.harnesses.native.answers.reply_text import ANNOUNCING
from evalmake.lazy_pattern import compile_on_use

_MOST = 20
"""Notes that are looked at."""
_REMARKS = (
    "explanation|reason(?:ing)?|(?:here's )?(?:why|how)|erklärung|begründung|explication|explicación"
    "|note|please note|remember|remarks?|assumptions?|assumed|caveats?|disclaimer|fun fact"
    "|hinweise?|anmerkung|bemerkung|annahmen?|remarques?|hypothèses?|notas?|observación|observação|suposición|suposição"
    "|osservazione|ipotesi|opmerking|let op|uwaga|poznámka|примечание|замечание|примітка|not|ملاحظة"
)
_UNSPACED_REMARKS = "解释|解析|理由|注意|注|备注|備註|说明|假设|假設|補足|備考|참고|주의|가정"
_CHECKS = (
    "(?:double[- ])?check(?:ing)?|verification|verify|to (?:check|verify)|proof|probe|kontrolle|vérification"
    "|comprobación|verificación|verifica|verificação|controle|sprawdzenie|проверка"
)
_UNSPACED_CHECKS = "验证|驗證|验算|驗算|检验|検算|確認|확인|검산"
_SENTENCES = (
    r"note that|note,|keep in mind|bear in mind|this assumes|(?:here )?(?:i|we)(?:'ve| have)? assumed?\b"
    r"|let me know|feel free"
    r"|(?:(?:i|we) (?:just |simply )?(?:multiplied|added|subtracted|divided|summed|counted)\b"
    r"|ich habe [^.\n]{0,60}(?:multipliziert|addiert|subtrahiert|abgezogen|geteilt)\b"
    r"|j'ai (?:multiplié|additionné|soustrait|divisé)\b|(?:multipliqué|sumé|resté|dividí)\b|我(?:把|用|将))"
    r"(?![^.\n]{0,80}\b(?:get|got|find|found|obtain(?:ed)?|end(?:ed)? up|leaving|is|are|was|were|be)\b[^.\n]{0,20}\d)"
    r"|if you(?: have|'d like| would like| need| want) (?:any|further|more (?:help|details|information)|help|me to)\b"
    r"|i(?:'d| would) (?:buy|suggest|recommend)[^.\n]{0,60}\b(?:more|extra|spare|additional|safe)\b"
    r"|beachten sie|bitte beachte|ich (?:habe angenommen|nehme an)|sag mir bescheid|notez que|j'ai supposé"
    r"|n'hésitez pas|ten en cuenta|tenga en cuenta|he supuesto|si necesitas (?:más )?ayuda"
    r"|tieni presente|ho supposto|tenha em mente"
)
_START = r'(?<=[.!?。！？ \n])(?<![^.!?。！？\n] )[#>*_"\'(\[ ]{0,6}'
_REMARK = compile_on_use(
    rf"{_START}(?:(?:{_REMARKS}) ?[:：]|why\?|(?:{_UNSPACED_REMARKS}) ?[:：]|(?<=\()(?:假设|假設)"
    rf"|(?P<check>(?:{_CHECKS}|{_UNSPACED_CHECKS}) ?[:：]|to (?:check|verify),"
    r"|(?:you|we) can (?:check|verify|confirm)\b|(?:this|that|it) is because\b|das liegt daran|c'est parce que"
    r"|esto se debe a|这是因为)"
    rf"|(?P<sentence>{_SENTENCES}))",
    re.IGNORECASE,
)
_SENTENCE = compile_on_use(r"[^\n]*?(?:[.!?。](?=[ )\n]|$)|(?=\n)|$)")
_LINE = compile_on_use(r"[^\n]*")
_HEADED = compile_on_use(r"(?P<gap>\n+)(?![^\n]{0,40}[:：])[^\n]*\d[^\n]*")
_CONCLUDES = compile_on_use(
    rf"{'|'.join(map(re.escape, ANNOUNCING))}|(?<!\w)(?:{CONCLUSION}|(?:makes?|gives?|leaves?|totals?) )(?![A-Za-z])",
    re.IGNORECASE,
)


def drop_notes(text: str) -> str:
    """A normalized text without the notes after its first number; one that concludes or calculates is none."""
    first = re.search(r"\d", text)
    if first is None:
        return text
    parts, at = [], 0
    for note in islice(_REMARK.finditer(text, first.end()), _MOST):
        if note.start() < at:
            continue
        end = _find_end(text, note)
        told = text[note.start() : end]
        if not _tells(told, note):
            parts.append(text[at : note.start()])
            at = end
    return "".join(parts) + text[at:]


def _find_end(text: str, note: re.Match[str]) -> int:
    """The end of a note: of its sentence or its line, or of the lines below a heading."""
    pattern = _SENTENCE if note["sentence"] else _LINE
    rest = pattern.match(text, note.end())
    end = rest.end() if rest else note.end()
    if text[note.end() : end].strip():
        return end
    gap = 0  # between the lines of the list; a wider one ends it
    while (line := _HEADED.match(text, end)) and len(line["gap"]) <= (gap or len(text)) and not _tells(line[0], note):
        end, gap = line.end(), gap or len(line["gap"])
    return end


def _tells(text: str, note: re.Match[str]) -> bool:
    """Whether a text concludes, or calculates outside a check."""
    return bool(_CONCLUDES.search(text)) or (not note["check"] and "=" in text)

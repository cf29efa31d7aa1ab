"""The words by which replies count the options: "the second one", "option 2", as data."""

from __future__ import annotations

ORDINALS: dict[str, tuple[str, ...]] = {
    "en": ("first|1st", "second|2nd", "third|3rd", "fourth|4th", "fifth|5th", "sixth|6th"),
    "de": ("ersten?", "zweiten?", "dritten?", "vierten?", "fünften?", "sechsten?"),
    "fr": ("première|premier|1re|1ère|1er", "deuxième|seconde?|2e", "troisième|3e", "quatrième|4e", "cinquième|5e"),
    "es": ("primer[ao]?|1[ªº]", "segund[ao]|2[ªº]", "tercer[ao]?|3[ªº]", "cuart[ao]|4[ªº]", "quint[ao]|5[ªº]"),
    "it": ("prim[ao]", "second[ao]", "terz[ao]", "quart[ao]", "quint[ao]"),
    "pt": ("primeir[ao]", "segund[ao]", "terceir[ao]", "quart[ao]", "quint[ao]"),
    "nl": ("eerste", "tweede", "derde", "vierde", "vijfde"),
    "sv": ("första", "andra", "tredje", "fjärde", "femte"),
    "pl": ("pierwsz[ay]", "drug[ai]", "trzeci[a]?", "czwart[ay]", "piąt[ay]"),
    "cs": ("první", "druh[áý]", "třetí", "čtvrt[áý]", "pát[áý]"),
    "tr": ("birinci|ilk", "ikinci", "üçüncü", "dördüncü", "beşinci"),
    "ru": ("перв(?:ый|ая|ое|ого|ую)", "втор(?:ой|ая|ое|ого|ую)", "трет(?:ий|ья|ье|ьего|ью)", "четв[её]рт(?:ый|ая|ое)"),
    "uk": ("перш(?:ий|а|е)", "друг(?:ий|а|е)", "трет(?:ій|я|є)", "четверт(?:ий|а|е)"),
}
"""Language -> the words for the first, the second, ... option."""

LAST = (
    "last|final|letzten?|dernière|dernier|últim[ao]|ultim[ao]|laatste|sista|ostatni[a]?|poslední|son"
    "|последн(?:ий|яя|ее)"
)
PENULTIMATE = (
    r"second[- ](?:to[- ])?last|next[- ]to[- ]last|penultimate|vorletzten?|avant-dernière|avant-dernier|penúltim[ao]"
    r"|penultim[ao]|предпоследн(?:ий|яя|ее)"
)
CARDINALS = "one|two|three|four|five|six"

NOUNS = (
    "option|choice|answer|alternative|answer option|answer choice|antwort|möglichkeit|antwortmöglichkeit|antwortoption"
    "|réponse|choix|opción|respuesta|alternativa|opzione|risposta|scelta|opção|resposta|optie|antwoord|keuze"
    "|alternativet|alternativ|svaret|opcja|odpowiedź|možnost|odpověď|seçenek|şık|вариант|ответ|вариант ответа|варіант"
)
PLURALS = (
    "options|choices|answers|alternatives|optionen|antworten|réponses|opciones|respuestas|alternativas|opzioni|risposte"
    "|opções|respostas|opties|варианты|ответы"
)
NUMBER_WORDS = "number|no\\.?|nr\\.?|nummer|numéro|n°|número|numero|номер|numer|№"
ARTICLES = "the|die|der|das|den|l[ae]|el|il|lo|a|o|de|het|den|det"
ONE = "one|ones"

UNSPACED_NUMBERS = ("1一첫", "2二두", "3三세", "4四네", "5五다섯")
"""By place: the signs that count in Chinese, Japanese and Korean."""
UNSPACED = (
    r"第\s?(?P<n>[1-5一二三四五])\s?(?:(?:个|個|项|項)(?:选项|選項|答案)?|选项|選項|の選択肢)(?=是|正|对|對|が|は|で|[^\u3400-\u9fff]|$)",
    r"(?:选项|選項|選択肢|보기|선택지)\s?(?P<n>[1-5一二三四五])(?![\d一-龥])",
    r"(?P<n>[1-5一二三四五])\s?番(?:目)?(?:の選択肢)?(?![\u3400-\u9fff])",
    r"(?P<n>[1-5])\s?번(?:째)?(?: (?:선택지|보기|답))?(?=이|입|은|을|\W|$)",
    r"(?P<n>첫|두|세|네|다섯)\s?번째(?: (?:선택지|보기|답|것))?(?=이|입|은|을|\W|$)",
    r"(?P<last>最后一个(?:选项|答案)?|最後一個(?:選項|答案)?|最後の選択肢|마지막 (?:선택지|보기|것))",
)

"""How replies refuse to answer."""

from __future__ import annotations

import re
from collections.abc import Iterable

from evalmake.harnesses.native.text_folding import UNSPACED
from evalmake.lazy_pattern import compile_on_use

REFUSALS: dict[str, str] = {
    "en": r"i(?:'m|\s+am)?\s+(?:cannot|can't|won't|unable\s+to|not\s+able\s+to)\s+"
    r"(?:assist|comply|answer|respond|help(?!\s+but))\b|i\s+(?:must\s+)?(?:decline|refuse)\s+to\b",
    "de": r"\b(?:kann|darf|möchte|werde)\s+(?:\w+\s+){0,4}nicht\s+(?:\w+\s+){0,2}(?:beantworten|antworten|\w*helfen)\b",
    "fr": r"ne\s+(?:peux|puis|suis)\s+pas\s+(?:en\s+mesure\s+de\s+)?(?:\w{1,4}[\s']+)?(?:répondre|aider|assister)\b",
    "es": r"no\s+(?:puedo|podría|es\s+posible)\s+(?:responder|contestar|ayudar)",
    "it": r"non\s+(?:posso|sono\s+in\s+grado\s+di)\s+(?:rispondere|aiutar)",
    "pt": r"não\s+(?:posso|consigo)\s+(?:\w{1,3}\s+)?(?:responder|ajudar)",
    "nl": r"kan\s+(?:\w+\s+){0,4}niet\s+(?:\w+\s+){0,2}(?:beantwoorden|antwoorden|helpen)\b",
    "sv": r"kan\s+(?:\w+\s+){0,3}(?:inte|ikke)\s+(?:\w+\s+){0,2}(?:be)?(?:svar[ae]|hjälpa|hjælpe|hjelpe)\b",
    "pl": r"nie\s+(?:mogę|jestem\s+w\s+stanie)\s+(?:\w+\s+)?(?:odpowiedzieć|pomóc)",
    "cs": r"nemohu\s+(?:\w+\s+){0,3}(?:odpovědět|pomoci)",
    "ro": r"nu\s+(?:vă\s+|te\s+)?pot\s+(?:să\s+)?(?:răspund|ajut)",
    "tr": r"(?:yanıtla|cevapla)yam(?:am|ıyorum)|(?:cevap\s+ver|yardımcı\s+ol)[ea]m(?:[ea]m|iyorum|ıyorum)",
    "ru": r"не\s+(?:могу|буду)\s+(?:\w+\s+)?(?:ответить|отвечать|помочь)",
    "uk": r"не\s+можу\s+(?:\w+\s+)?(?:відповісти|відповідати|допомогти)",
    "el": r"δεν\s+μπορώ\s+να\s+(?:\w+\s+)?(?:απαντήσω|βοηθήσω)",
    "hu": r"nem\s+tudok\s+(?:\w+\s+){0,3}(?:válaszolni|segíteni)",
    "fi": r"en\s+voi\s+(?:\w+\s+)?(?:vastata|auttaa)",
    "id": r"tidak\s+(?:bisa|dapat)\s+(?:menjawab|membantu)",
    "vi": r"không\s+thể\s+(?:trả\s+lời|giúp|hỗ\s+trợ)",
    "ar": r"لا\s+(?:أستطيع|يمكنني)\s+(?:الإجابة|المساعدة|مساعدتك)",
    "fa": r"نمی[\u200c ]?توانم\s+(?:\S+\s+){0,5}(?:پاسخ|کمک)",
    "he": r"(?:לא\s+יכולה?|איני\s+יכולה?)\s+(?:לענות|לעזור)",
    "hi": r"(?:उत्तर|जवाब|मदद|सहायता)\s+नहीं\s+(?:दे|कर)\s+सक",
    "bn": r"উত্তর\s+দিতে\s+পার\S{0,4}\s+না",
    "th": r"ไม่สามารถ(?:ตอบ|ช่วย)",
    "zh": r"(?:不能|无法|無法|不便|不会|不會)(?:回答|协助|協助|帮助|幫助|提供(?:帮助|幫助|协助|協助))",
    "ja": r"(?:回答|お?答え|お手伝い|お応え)(?:する|い?た?し|ること)?(?:こと)?[がは]?"
    r"(?:でき(?:ません|かね|ない)|しかね|かね)",
    "ko": r"(?:답변|대답|답할|도움|도와)\S{0,6}(?:\s\S{1,4})?\s?수\s?(?:가\s)?없",
}
"""Language -> a pattern of lower-case text."""

_NOT = r"(?:cannot|can't|can\s+not|could\s+not|couldn't)"
UNDETERMINED: dict[str, str] = {
    "en": rf"{_NOT}\s+(?:be\s+)?(?:determined?|calculated?|computed?)\b"
    rf"|(?:answer|result|solution)\s+{_NOT}\s+be\s+(?:found|known|given)\b|\bi\s+{_NOT}\s+(?:solve|find)\b"
    r"|(?:impossible|not\s+possible)\s+to\s+(?:determine|calculate|compute|solve|say|tell|know|find)\b"
    r"|(?:not|isn't|aren't)\s+enough\s+(?:information|data|facts|details)|insufficient\s+(?:information|data|facts|details)|i\s+(?:don't|do\s+not)\s+know\b"
    r"|i(?:'m|\s+am)\s+(?:not\s+sure|unsure)\b"
    r"|(?:answer|result|solution)\s?(?:[:：]|\s+is)\s{0,2}(?:unknown|undefined|undetermined|indeterminate|unclear)\b",
    "de": r"\bnicht\s+(?:eindeutig\s+)?(?:bestimm|berechn|ermittel|beantwort|lös)\w+|\bweiß\s+(?:es\s+)?nicht\b"
    r"|\b(?:antwort|ergebnis)(?:[:：]|\s+ist)\s+(?:unbekannt|undefiniert|unbestimmt)",
    "fr": r"ne\s+sais\s+pas|(?:ne\s+peut\s+pas|impossible\s+de|ne\s+peux\s+pas)\s+(?:être\s+)?(?:détermin|calcul)\w+",
    "es": r"no\s+(?:lo\s+)?sé\b|no\s+(?:se\s+)?puede\s+(?:ser\s+)?(?:determin|calcul)\w+"
    r"|no\s+es\s+posible\s+(?:determinar|calcular)\b",
    "it": r"non\s+(?:lo\s+)?so\b|non\s+(?:si\s+)?può\s+(?:essere\s+)?(?:determin|calcol)\w+"
    r"|non\s+è\s+possibile\s+(?:determin|calcol)\w+",
    "pt": r"não\s+sei\b|não\s+(?:se\s+)?pode\s+(?:ser\s+)?(?:determin|calcul)\w+|não\s+é\s+possível\s+determinar",
    "nl": r"weet\s+(?:het\s+)?niet\b|niet\s+(?:te\s+)?(?:bepalen|berekenen)\b|niet\s+worden\s+(?:bepaald|berekend)",
    "ru": r"не\s+знаю\b|(?:нельзя|невозможно)\s+(?:определить|вычислить|найти)",
    "zh": r"(?:无法|無法|不能)(?:确定|確定|得出|计算|計算|求出|判断|判斷)|(?:我|^)不知道|(?:信息|条件|資訊|條件)不足",
    "ja": r"わかりません|分かりません|(?:決定|特定|計算)(?:すること(?:が|は))?できません|情報が(?:足りません|不足)",
    "ko": r"모르겠|알\s?수\s?(?:가\s)?없|(?:결정|계산)할\s?수\s?(?:가\s)?없|정보가\s부족",
}
"""Language -> a pattern of lower-case text that says that a question has no answer, or none that the writer knows."""


def compile_phrases(phrases: Iterable[str]) -> re.Pattern[str]:
    """A pattern of any of these phrases, as whole words where the script has spaces."""
    return compile_on_use(
        "|".join(one if UNSPACED.search(one) else rf"(?<![^\W_])(?:{one})" for one in phrases), re.IGNORECASE
    )

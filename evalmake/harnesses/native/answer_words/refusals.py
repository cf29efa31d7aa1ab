"""How replies refuse to answer."""

from __future__ import annotations

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

"""How questions ask for the option that is not so: "Which is NOT ...?", "All are ... except:", "the odd one out"."""

from __future__ import annotations

from typing import NamedTuple

NEVER = "(?!)"


class Asking(NamedTuple):
    """The words of one language, as patterns of lower-case text."""

    which: str
    """What asks for an option, or tells to choose one."""
    denied: str
    """What it is then not: "is not", "false"."""
    aside: str = NEVER
    """Words between the two after which a denial is part of a condition or a reason, and not what is asked."""
    excepted: str = NEVER
    """Words for an exception, at the end of a question."""
    odd: str = NEVER
    """What asks for an exception by itself."""


_BE = r"(?:is|are|was|were|be)"
_NOT = rf"(?:{_BE}|has|have|had|do|does|did|can|could|would|should|will|may|might|must)"
_MAIN = (
    r"(?:(?:most\s+|least\s+)?(?:likely|probably|usually|typically|generally|normally|also|commonly|considered)\s+)?"
)

EXCEPTIONS: dict[str, Asking] = {
    "en": Asking(
        r"which|what|who|(?:choose|select|pick|identify|find|mark|name|spot|indicate|determine)"
        r"(?:\s+the\s+(?:\w+\s+)?(?:one|option|statement|answer|choice|item|word|sentence)\s+(?:that|which))?",
        rf"{_NOT}\s+{_MAIN}(?:not(?!\s+(?:only|just))|never)|{_NOT}n't|cannot"
        r"|(?:do|does|did|can|could|would|should|will|must)(?:\s+\w+){1,3}\s+not"
        rf"|{_BE}(?:\s+(?:an?|the|most|clearly|likely|probably|factually|logically|considered)){{0,2}}"
        r"\s+(?:false(?!\s+(?:positive|negative|alarm))|incorrect(?:ly)?|untrue|wrong(?!\s+with)|inaccurate|invalid)"
        r"|(?:the|an?|one)\s+(?:false|incorrect|untrue|wrong|inaccurate)\s+(?:one|option|statement|answer|choice|item"
        r"|claim|sentence|alternative|pair)|(?:false|incorrect|untrue|wrong)\s+(?:statement|option|claim)"
        r"|(?<!at\s)least\s+(?:likely|probable|appropriate|accurate|consistent|true|suitable|helpful|plausible)"
        r"|(?:the|an)\s+exception",
        "why|how|if|that|when|who|whose|because|since|while|and|but|so|shows?|explains?|describes?|supports?"
        "|suggests?|proves?|means?|implies|makes?|reason",
        "except|but|apart from|other than|excluding|with the exception of",
        r"odd\s+(?:one|man|word|number)(?:\s+\w+)?\s+out|(?:does\s+not|doesn't|do\s+not|don't)\s+belong",
    ),
    "de": Asking(
        r"welche[rsnm]?|was|wer|wählen?|kreuzen?|nennen?|markieren?|finden?|bestimmen?",
        r"nicht(?!\s+nur)|kein(?:e[rsnm]?)?|falsch\w*|unwahr\w*|inkorrekt\w*|unzutreffend\w*|am\s+wenigsten",
        "weil|wenn|falls|warum|wieso|dass|ob|und|wie|erklärt|beschreibt|zeigt",
        "außer|ausser|bis auf|mit ausnahme von|ausgenommen",
        r"(?:passt|gehört)\s+nicht\s+(?:dazu|in\s+die\s+reihe)",
    ),
    "fr": Asking(
        r"quel(?:le)?s?|lequel|laquelle|lesquel(?:le)?s|qui|qu'est-ce\s+qui|choisissez|indiquez|identifiez|cochez|trouvez",
        r"pas|jamais|fau(?:x|sses?)|incorrecte?s?|inexacte?s?|erronée?s?|le\s+moins\s+(?:probable|susceptible|approprié)",
        "si|pourquoi|quand|parce|car|que|et|explique|décrit|montre",
        "sauf|excepté|à part|hormis|à l'exception de|à l'exception d'",
        r"(?:trouve\w*|cherche\w*|quel\s+est)\s+l'intrus",
    ),
    "es": Asking(
        r"cu[áa]l(?:es)?|qué|quién(?:es)?|elija|elige|señale|señala|indique|marque|seleccione|identifique",
        r"no|nunca|fals[ao]s?|incorrect[ao]s?|erróne[ao]s?|equivocad[ao]s?|menos\s+(?:probable|adecuad\w+|apropiad\w+)",
        "si|por qué|cuando|porque|que|y|como|explica|describe|muestra",
        "excepto|menos|salvo|a excepción de",
    ),
    "it": Asking(
        r"quale?|quali|qual|cosa|chi|scegli\w*|indica\w*|individua\w*|seleziona\w*",
        r"non|fals[aoie]|errat[aoie]|sbagliat[aoie]|scorrett[aoie]|meno\s+(?:probabile|adatt\w+|appropriat\w+)",
        "se|perché|quando|che|e|spiega|descrive|mostra",
        "tranne|eccetto|salvo|ad eccezione di|a eccezione di",
        r"l'intruso",
    ),
    "pt": Asking(
        r"qual|quais|que|quem|assinale|marque|indique|escolha|identifique|selecione",
        r"não|nao|nunca|fals[ao]s?|incorret[ao]s?|errad[ao]s?|menos\s+(?:provável|adequad\w+|apropriad\w+)",
        "se|por que|quando|porque|que|e|explica|descreve|mostra",
        "exceto|menos|salvo|com exceção de|à exceção de",
    ),
    "nl": Asking(
        "welke?|wat|wie|kies|noem|selecteer",
        r"niet|geen|onjuiste?|onwaar|foute?|incorrecte?|verkeerde?|het\s+minst\s+waarschijnlijk",
        "als|waarom|wanneer|omdat|dat|die|hoe|en|verklaart|beschrijft",
        "behalve|uitgezonderd|met uitzondering van",
        r"hoort\s+er\s+niet\s+bij",
    ),
    "sv": Asking(  # and Danish, Norwegian
        r"vilken|vilket|vilka|hvilke[nt]?|vad|hvad?|vem|hvem|velg|vælg|välj",
        r"inte|ikke|ej|fel|felaktig[at]?|falsk[at]?|feil|forkerte?|usan[nt]e?|osan[nt]|galt",
        "om|varför|hvorfor|när|når|att|at|som|eftersom|fordi|och|og|forklarer|förklarar|beskriver",
        "utom|förutom|undantagen|unntatt|undtagen|bortset fra|bortsett från",
    ),
    "pl": Asking(
        r"któr\w{1,3}|co|kto|wskaż\w{0,3}|wybierz|zaznacz",
        r"nie|nieprawdziw\w{1,3}|fałszyw\w{1,3}|błędn\w{1,3}|niepoprawn\w{1,3}|nieprawidłow\w{1,3}",
        "jeśli|jeżeli|dlaczego|gdy|że|bo|i|a|wyjaśnia|opisuje",
        "oprócz|z wyjątkiem|poza",
    ),
    "cs": Asking(
        r"kter\w{1,3}|co|kdo|vyber\w{0,3}|označ\w{0,3}",
        r"ne(?:ní|jsou|byl\w?|patří|platí|má|mají|může|mohou|lze|obsahuj\w|odpovíd\w|správn\w{1,3}|pravdiv\w{1,3})"
        r"|chybn\w{1,3}|špatn\w{1,3}",
        "jestli|pokud|proč|když|že|protože|a|vysvětluje|popisuje",
        "kromě|s výjimkou|vyjma",
    ),
    "ro": Asking(
        r"care|ce|cine|alege\w{0,3}|indica\w{0,3}|identifica\w{0,3}",
        r"nu|fals[ăeai]?|greșit[ăeai]?|incorect[ăeai]?",
        "dacă|de ce|când|că|pentru că|și|explică|descrie",
        "cu excepția|în afară de|exceptând",
    ),
    "tr": Asking(
        r"hangi\w{0,8}|kim",
        r"değil\w{0,5}|yanlış\w{0,4}|yoktur|\w{1,20}m[ae]z(?:l[ae]r)?",
        "çünkü|neden|eğer|ise",
        "hariç|dışında",
    ),
    "ru": Asking(
        r"как(?:ой|ая|ое|ие|ого|ую)|что|кто|выбер\w{1,3}|укаж\w{1,3}|назов\w{1,3}|отмет\w{1,3}|найд\w{1,3}",
        r"не|нет|неверн\w{1,3}|неправильн\w{1,3}|ложн\w{1,3}|ошибочн\w{1,3}|наименее",
        r"если|почему|когда|потому|чтобы|что|и|объясняет|описывает|котор\w{1,3}",
        "кроме|за исключением",
        r"лишн(?:ее|ий|яя)\s+(?:слово|вариант|предмет|число)",
    ),
    "uk": Asking(
        r"як(?:ий|а|е|і|у|ого)|що|хто|вибер\w{1,3}|оберіть|вкаж\w{1,3}|назв\w{1,3}",
        r"не|немає|неправильн\w{1,3}|хибн\w{1,3}|невірн\w{1,3}|помилков\w{1,3}",
        "якщо|чому|коли|тому|щоб|що|і|та|пояснює|описує",
        "крім|окрім|за винятком",
    ),
    "el": Asking(
        r"ποι[αοες]ς?|τι|επιλέξτε",
        r"δεν|μη|λάθος|λανθασμέν\w{1,3}|ψευδ\w{1,3}|εσφαλμέν\w{1,3}",
        "αν|γιατί|όταν|ότι|που|και",
        "εκτός|εκτός από|πλην",
    ),
    "hu": Asking(
        r"melyik\w{0,4}|mely|mi|ki|válassz\w{0,2}|jelölj\w{0,2}",
        r"nem|nincs|hamis|helytelen|téves|hibás",
        "ha|miért|amikor|hogy|mert|és",
        "kivéve",
    ),
    "fi": Asking(
        "mikä|mitkä|mitä|minkä|kuka|valitse",
        r"ei|eivät|väär\w{1,3}|virheelli\w{2,4}|epätosi",
        "jos|miksi|kun|että|koska|joka|ja",
        "paitsi|lukuun ottamatta",
    ),
    "id": Asking(  # and Malay
        "berikut|manakah|mana|apa|apakah|siapa|siapakah|pilih|pilihlah",
        r"bukan(?:lah)?|tidak|salah(?!\s+satu)|keliru|kecuali",
        "jika|kalau|mengapa|ketika|karena|bahwa|dan|menjelaskan",
        "kecuali|selain",
    ),
    "vi": Asking(
        "nào|gì|đâu|ai|chọn",
        r"không(?!\s*[?.])|sai|chưa\s+đúng",
        "nếu|tại sao|vì sao|khi|rằng|vì|và|giải thích",
        "ngoại trừ|trừ",
    ),
    "ar": Asking(
        "أي|أيّ|أيٌّ|أية|ما|ماذا|اختر|حدد",
        "ليس|ليست|لا|غير|لم|خاطئة?|خطأ|الخاطئة?|الخطأ",
        "إذا|لماذا|عندما|لأن|أن|و",
        "ما عدا|عدا|باستثناء|إلا",
    ),
    "fa": Asking(
        r"کدام|کدامیک|چه",
        "نیست|نیستند|نادرست|غلط|اشتباه|ندارد|نمی\\S{2,9}",
        "اگر|چرا|وقتی|زیرا|که|و",
        "به جز|بجز|به غیر از",
    ),
    "he": Asking(
        "איזה|איזו|אילו|מה|מי|בחרו?|סמנו?",
        "לא|אינה|אינו|אינם|אינן|איננו|איננה|שגוי|שגויה|השגוי|השגויה",
        "אם|למה|מדוע|כאשר|כי|ש",
        "חוץ מ|חוץ|למעט|פרט ל|מלבד",
        "יוצא\\s+דופן|יוצא\\s+הדופן",
    ),
    "hi": Asking(  # and Marathi, Nepali
        "कौन|कौनसा|किस|क्या|कोणता|कोणते|कोणती",
        "नहीं|नाही|गलत|ग़लत|असत्य|चुकीचे|चुकीचा|चुकीची",
        "अगर|यदि|क्यों|जब|क्योंकि|और",
        "को छोड़कर|के अलावा|सिवाय",
    ),
    "bn": Asking("কোন|কোনটি|কে|কী", "নয়|নেই|না|ভুল|অসত্য|মিথ্যা", "যদি|কেন|যখন|কারণ|এবং", "ছাড়া|ব্যতীত"),
    "th": Asking("ข้อใด|สิ่งใด|อะไร|ใด", "ไม่ใช่|ไม่|ผิด", "ถ้า|ทำไม|เพราะ|เมื่อ|ที่", "ยกเว้น"),
    "zh": Asking(
        "下列|以下|下面|哪|选出|選出|找出|指出",
        "不是|不正确|不正確|不属于|不屬於|不符合|不包括|不包含|不能|不会|不會|不对|不對|不恰当|不恰當|不可能|不需要|不具有|不成立"
        "|没有|沒有|并非|並非|有误|有誤|最不|[错錯][误誤]的(?:是|一|说|說|选|選|叙|敘|描|陈|陳|[?(]|$)"
        "|(?:说法|說法|叙述|敘述|描述|选项|選項|一项|一項|哪个|哪個|哪项|哪項)(?:是|中)?[错錯](?:误|誤|的|$)",
        "因为|因為|如果|为什么|為什麼|原因|当|當|正确的|正確的",
        "除了|除|除外|除外的是",
        "除了?(?:下列|以下)?哪|除外的是",
    ),
    "ja": Asking(
        "次の|以下の|下記の|どれ|どの|いずれ",
        "(?:ではない|でない|しない|正しくない|適切でない|適当でない|不適切な|不適当な|誤って|間違って|誤りの?|間違いの?"
        "|当てはまらない|含まれない|該当しない|(?:誤|間違)った)[^.?!\n]{0,8}(?:[はをが]|どれ|選)",
        "なぜ|理由|もし|場合",
        "以外|を除いて",
        "(?:ではない|でない|正しくない|適切でない|不適切な|誤っている|間違っている|当てはまらない|該当しない)"
        "(?:もの|の|記述|文|説明|選択肢)[はをが](?:どれ|いずれ|選)|仲間外れ",
    ),
    "ko": Asking(
        "다음|보기|아래|어느|무엇",
        "(?:옳지 않은|아닌|틀린|잘못된|맞지 않는|적절하지 않은|해당하지 않는|거리가 먼|\\w{1,8}지 않[은는])"
        "\\s?(?:것|설명|문장|보기|진술|내용|답|하나|사람|동물|말)",
        "왜|이유|만약",
        "제외한|제외하고|빼고",
    ),
}

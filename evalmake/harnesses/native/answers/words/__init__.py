"""The words by which replies give, deny and correct an answer: a table by language and role, as data.

Phrases are separated by `|`, in lower case. A phrase of several words is one unit: "go with". Words of
scripts without spaces (and Korean, whose particles are written together) match inside a run of text.
Where languages share a word, the first language of the table decides its role.
"""

from __future__ import annotations

from evalmake.harnesses.native.answers.words import asia, eastern_europe, western_europe

ROLES = {
    "answer": "A",  # a noun that announces the answer
    "option": "O",  # a noun for one of the options: "option B" names it, "my option is B" answers
    "is": "I",  # links a noun and the answer
    "not": "n",
    "not that": "N",  # stands after what it denies
    "both": "2",
    "wrong": "x",
    "right": "v",
    "so": "s",  # announces a conclusion: "so B", "it's B"
    "choose": "c",
    "maybe": "p",
    "because": "j",
    "glue": "g",  # may follow a letter, but no article: "A has"
    "or": "|",
    "and": "&",
    "but": "b",
    "all": "e",
    "none": "z",
    "except": "E",
    "the rest": "R",
    "so is": "S",  # says of an option what was said of the one before
    "too": "t",
    "partly": "q",  # beside "right", takes it back: "partially correct"
    "perhaps": "h",  # the sentence is a condition, or the belief of others
    "wait": "k",  # takes back what was said
    "filler": "f",
}
"""Role -> its letter in an outline (see `outline`), where a number is "d" and any other word is "w"."""

WORDS = western_europe.WORDS | eastern_europe.WORDS | asia.WORDS

NAMED = (
    "plan|plans|vitamin|vitamins|vitamina|vitamine|vitamines|vitaminas|витамин|витамины|team|teams|equipo|"
    "équipe|équipes|squadra|equipe|команда|команды|group|groups|gruppe|grupo|groupe|gruppo|группа|группы|"
    "hepatitis|hépatite|epatite|hepatite|гепатит|influenza|type|types|typ|tipo|тип|class|classes|klasse|"
    "clase|classe|класс|grade|grades|person|persons|persona|personne|company|companies|firm|firms|empresa|"
    "компания|schedule|appendix|section|series|chain|phase|stage|zone|region|area|player|"
    "players|student|students|patient|patients|city|town|country|bank|machine|factory|car|train|tank|bag|"
    "urn|jar|container|block|object|particle|sample|substance|liquid|metal|compound|species|strain|gene|"
    "allele|protein|enzyme|receptor|layer|wire|circuit|resistor|node|vertex|side|angle|event|matrix|"
    "treatment|drug|product|brand|store|farm|project|fund|stock|bond|portfolio|district|circle|"
    "triangle|square|planet|star|point|points|punto|пункты|cell|cells|protocol|annex|plano|план|"
    "планы"
)
"""Words before a letter that is part of a name, and no option: "Plan B", "hepatitis B"."""

HOMOGLYPHS = dict(zip("АВСЕБДΑΒΕΓΔ", "ABCEBDABECD", strict=True))
"""Cyrillic and Greek letters that stand for a Latin letter, by their look or their place."""

LETTER_ROWS = ("أبجد", "ابجد", "कखगघ", "가나다라", "アイウエ", "甲乙丙丁", "กขคง", "אבגד", "ㄱㄴㄷㄹ")
"""The letters that other scripts number options with, in order."""

ORDINAL_ROWS = ("①②③④⑤⑥⑦⑧⑨⑩", "❶❷❸❹❺❻❼❽❾❿", "➀➁➂➃➄➅➆➇➈➉", "㊀㊁㊂㊃㊄㊅㊆㊇㊈㊉")
"""Numbers in circles, which number options from 1."""

FRAMES = (
    r"(?:final[\s_-]?)?(?:answers?|choice|option|ans|label|letter|selection|antwort|réponse|respuesta|risposta"
    r"|resposta|ответ|答案|答え|정답)(?:[\s_-]?(?:letter|choice|option|label|key|index|id))?"
)
"""Names of tags and JSON keys that hold the answer."""

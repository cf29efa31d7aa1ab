"""The words by which replies give, deny and correct an answer: a table by language and role, as data.

It is one table, so its length follows from its 28 languages, and no code stands in it.
Phrases are separated by `|`, in lower case. A phrase of several words is one unit: "go with". Words of
scripts without spaces (and Korean, whose particles are written together) match inside a run of text.
"""

from __future__ import annotations

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
    "partly": "q",  # beside "right", takes it back: "partially correct"
    "perhaps": "h",  # the sentence is a condition, or the belief of others
    "wait": "k",  # takes back what was said
    "filler": "f",
}
"""Role -> its letter in an outline (see `answer_outline`), where a number is "d" and any other word is "w"."""

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "answer": "answer|answers|solution|response|conclusion|verdict|final|reply|ans|correct one|right one|best one|"
        "answer's",
        "option": "graph|curve|diagram|figure|"
        "option|choice|letter|selection|pick|alternative|item|statement|candidate|options|choices|letters|"
        "statements",
        "is": "is|are|was|be|being|equals|would be|should be|must be|has to be|will be|to be|seems|"
        "seems to be|appears to be|seem|becomes|remains|stays|namely|comes out as|turns out to be",
        "not": "not|isn't|isnt|aren't|wasn't|never|neither|nor|cannot|can't|cannot be|can't be|couldn't|"
        "couldn't be|doesn't|don't|didn't|won't|wouldn't|shouldn't|rather than|instead of|"
        "as opposed to|unlike|except|without|other than|all but|anything but|excluding|ain't|no|"
        "not be|over",
        "partly": "partially|partly|technically|sometimes|only sometimes|only for|only in|only partially|only partly|"
        "in part|in general|in principle|in theory|in some cases|in other cases|in other contexts|for other|"
        "to a different|for a different|to another|in a different|half",
        "wrong": "wrong|incorrect|incorrectly|false|invalid|mistaken|inaccurate|untrue|eliminated|"
        "eliminate|eliminating|excluded|exclude|ruled out|rule out|rules out|ruling out|discard|"
        "discarded|reject|rejected|rejecting|trap|distractor|distractors|out|mistake|error|"
        "misleading|implausible|impossible|unlikely|irrelevant|fails|fail|dismiss|dismissed|"
        "inappropriate|unsupported|misconception|contradicts|cross out|crossed out|nope|so is|"
        "so are",
        "right": "right|correct|true|best|valid|accurate|yes|appropriate|correctly|better|most likely|ok|"
        "fits|matches|works|most accurate|most appropriate|winner|preferred|most suitable|"
        "indeed correct",
        "so": "so|thus|turns out|therefore|hence|it's|it is|its|that's|that is|this is|that makes it|"
        "which is|consequently|accordingly|that leaves|leaves|leaving|leaves us with|"
        "leaving us with|leaves only|leaving only|that leaves us with|points to|leads to|gives|"
        "ergo|in conclusion|must be|has to be|overall|finally|in summary|to conclude|it must be|"
        "it has to be|it should be|it would be|definitely|probably|clearly|most probably|"
        "obviously|certainly|surely|hence it is|instead|gives us|then|as it stands",
        "choose": "choose|chose|prefer|choosing|pick|picked|picking|select|selected|selecting|go with|"
        "going with|went with|go for|going for|opt for|opting for|opted for|vote|vote for|guess|"
        "say|settle on|answer with|lean towards|lean toward|leaning towards|bet on|i'd say|"
        "i choose|i pick|i select|i'd pick|i'd choose|i'd go with|i will go with|i'll go with|"
        "i would go with|i would say|my guess|my pick|i think|i believe|stick with|sticking with|"
        "mark|tick|switch to|change to|change my answer to|conclude",
        "because": "than|to|because|since|as|for|due to|given|which|that|who|whose|with|whereas|though|although",
        "or": "or|or maybe|or perhaps|or possibly|or else|and/or",
        "and": "and|as well as|plus|also|together with|along with|and also",
        "but": "but|however|yet|nevertheless|still|whereas",
        "perhaps": "if|unless|people|students|someone|some might|some may|some would|some say|some argue|"
        "many would|many think|many might|others say|others think|might think|may think|could be|"
        "may be|might be|might have been|would have been|tempting|tempted|often confused|"
        "commonly|common mistake|confused with|could think|might say|might seem|might appear|"
        "at first|initially|first glance|suppose|assume|assuming|seemingly|one might|you might|"
        "you may|one could|you could|whether|had it|had the|were it|were the|often|only when|"
        "only if|initial answer|first answer|original answer|previous answer|my first guess|"
        "initial guess|previous version|earlier version",
        "wait": "wait|actually|correction|sorry|hold on|scratch that|on second thought|"
        "on second thoughts|oops|hmm|on reflection|let me reconsider|let me re-check|"
        "let me recheck|let me double-check|let me double check|let me correct|reconsidering|"
        "i made a mistake|i made an error|i was wrong|that's wrong|apologies|my mistake|my bad|"
        "strike that|revised|revising|update|edit|upon review|on closer inspection|"
        "i take that back|in fact|i mean|i meant|meant|or rather|rather",
        "filler": "the|a|an|my|our|your|option number|either|just|simply|exactly|only|indeed|choice letter|"
        "following|labeled|labelled|number|obvious|well|sure|okay|great|both of|certainly|"
        "therefore|absolutely|alright|one of|all of",
        "both": "both|both of",
        "maybe": "maybe|perhaps|possibly|likely|leaning",
        "glue": "out of|where|when|while|from|in|on|at|of|by|has|have|had|does|did|do|can|could|will|would|"
        "may|might|must|should|says|states|means|describes|represents|refers|shows|it|this|we|"
        "they|he|she|here|again|after|before|per",
    },
    "de": {
        "answer": "antwort|antworten|lösung|lösungen|ergebnis|antwortet|endergebnis|richtige|richtig ist|"
        "korrekt ist|antwortmöglichkeit",
        "option": "option|möglichkeit|auswahl|buchstabe|aussage|variante|wahl|alternative|antwortoption",
        "is": "ist|sind|lautet|wäre|heißt|war|müsste|muss|sein|lauten",
        "not": "nicht|kein|keine|weder|noch|statt|anstatt|nie|niemals",
        "partly": "für eine andere|für andere|teilweise|teils|zum teil|technisch|bedingt|im allgemeinen|manchmal",
        "wrong": "falsch|falsche|falschen|inkorrekt|unzutreffend|ausgeschlossen|ausschließen|scheidet aus|"
        "unrichtig|verkehrt|fehler|unmöglich|trifft nicht zu|scheiden aus",
        "right": "richtig|richtige|richtigen|korrekt|korrekte|korrekten|wahr|zutreffend|stimmt|passt|ja|beste|"
        "trifft zu",
        "so": "also|daher|somit|folglich|deshalb|demnach|es ist|das ist|damit|es muss|bleibt|deswegen|sondern|"
        "eindeutig|wahrscheinlich|vermutlich",
        "choose": "wähle|nehme|entscheide|tippe auf|entscheide mich für|ich wähle|ich nehme|ich würde sagen|"
        "ich würde|würde ich sagen|ich denke|ich glaube",
        "because": "weil|denn|da|hat|wird|kann|beschreibt|bedeutet|und zwar|mit|für|steht",
        "or": "oder|bzw|beziehungsweise",
        "and": "und|sowie",
        "but": "aber|sondern|jedoch|doch",
        "perhaps": "wenn|falls|viele|manche|oft|häufig|leute|menschen|könnte|meinen|einige",
        "wait": "moment|halt|nein|korrektur|doch nicht|stopp|entschuldigung|quatsch|verzeihung|tatsächlich|"
        "vielmehr|nee",
        "filler": "die|der|das|den|dem|ein|eine|meine|endgültige|buchstaben|als auch|nur|genau|hier",
        "both": "beide|sowohl",
        "maybe": "vielleicht|eventuell|möglicherweise",
    },
    "fr": {
        "answer": "réponse|reponse|réponses|solution|résultat|bonne réponse|la bonne|réponse finale",
        "option": "option|choix|lettre|proposition|alternative|affirmation",
        "is": "est|sont|serait|était|doit être|etait|sera",
        "not": "n'est pas|n'est|non|pas|ni|aucun|aucune|jamais|plutôt que|au lieu de|non pas|ne sont pas|ne",
        "partly": "pour une autre|pour un autre|partiellement|en partie|techniquement|en général|parfois",
        "wrong": "faux|fausse|fausses|incorrect|incorrecte|incorrectes|erroné|erronée|mauvaise|mauvais|inexacte|"
        "inexact|à exclure|exclue|exclu|éliminer|éliminée|exclure|erreur",
        "right": "correct|correcte|vrai|vraie|juste|exacte|exact|bonne|bon|oui|meilleure|meilleur|convient",
        "so": "donc|ainsi|par conséquent|c'est|alors|il s'agit de|il s'agit|en conclusion|d'où|ce serait|"
        "c'est donc|reste|sûrement|probablement",
        "choose": "choisis|je choisis|je dirais|je pense|je crois|opte pour|sélectionne|prends|je réponds|"
        "je pense que|je crois que c'est|je pense que c'est",
        "because": "car|parce|parce que|puisque|qui|que|qu'elle|en effet|a|avec|pour|correspond|décrit|désigne",
        "or": "ou|ou bien|soit",
        "and": "et|ainsi que",
        "but": "mais|cependant|toutefois",
        "perhaps": "si|beaucoup|certains|gens|souvent|on pourrait|pourrait|pensent|croient",
        "wait": "attendez|pardon|correction|en fait|finalement|erratum|désolé|attends|plutôt|en réalité",
        "filler": "la|le|les|l'option|l'|une|un|ma|finale|définitive|lettre|d'|de",
        "both": "à la fois|les deux|tant",
        "maybe": "peut-être|éventuellement",
    },
    "es": {
        "answer": "respuesta|respuestas|solución|solucion|resultado|respuesta final|la correcta|resp",
        "option": "opción|opcion|alternativa|letra|inciso|elección|afirmación|opciones",
        "is": "es|son|sería|seria|debe ser|fue|será",
        "not": "no es|no|no son|ni|nunca|en lugar de|en vez de|tampoco|ninguna",
        "partly": "para otra|para otro|parcialmente|en parte|técnicamente|en general|a veces",
        "wrong": "incorrecta|incorrecto|incorrectas|incorrectos|falsa|falso|errónea|erróneo|equivocada|mal|"
        "descartada|descarta|descartamos|descartar|error|equivocado",
        "right": "correcta|correcto|verdadera|verdadero|cierta|cierto|sí|exacta|mejor|adecuada|válida",
        "so": "entonces|por lo tanto|por tanto|así que|por ende|se trata de|luego|en conclusión|seguramente|"
        "probablemente|por consiguiente|sino|queda",
        "choose": "elijo|escojo|selecciono|diría|yo diría|creo que es|creo|pienso|opto por|me quedo con|elegiría|marco",
        "because": "porque|pues|ya que|que|dado que|tiene|con|para|puesto que|describe|corresponde|debido",
        "or": "o|u|o bien|o quizás",
        "and": "y|e|así como",
        "but": "pero|sino|sin embargo|sino que",
        "perhaps": "si|muchos|algunos|gente|a menudo|podría|piensan|creen|personas",
        "wait": "espera|perdón|corrección|en realidad|me equivoqué|mejor dicho|disculpa|espere|de hecho|rectifico",
        "filler": "la|el|los|las|una|un|mi|final|letra|como",
        "both": "ambas|ambos|tanto|las dos",
        "maybe": "quizás|quizá|tal vez|posiblemente",
    },
    "it": {
        "answer": "risposta|risposte|soluzione|risultato|la corretta|risposta finale|quella giusta",
        "option": "opzione|alternativa|lettera|scelta|affermazione|opzioni",
        "is": "è|sono|sarebbe|era|dev'essere|deve essere|e'|sarà",
        "not": "non è|non|non sono|né|mai|invece di|anziché|nessuna|piuttosto che",
        "partly": "parzialmente|in parte|tecnicamente|in generale|talvolta",
        "wrong": "errata|errato|sbagliata|sbagliato|errate|sbagliate|falsa|falso|scorretta|scorretto|scartata|"
        "esclusa|scarto|escludo|errore|escludere",
        "right": "corretta|corretto|giusta|giusto|vera|vero|esatta|esatto|sì|migliore|corrette|giuste",
        "so": "quindi|dunque|perciò|pertanto|si tratta di|in conclusione|di conseguenza|bensì|allora|"
        "probabilmente|sicuramente|rimane|resta",
        "choose": "scelgo|seleziono|direi|penso|credo|opto per|sceglierei|penso che sia|credo che sia|penso sia|"
        "credo sia",
        "because": "perché|poiché|che|in quanto|dato che|ha|con|per|siccome|descrive|corrisponde",
        "or": "o|oppure|ovvero",
        "and": "e|ed|nonché",
        "but": "ma|bensì|però|tuttavia",
        "perhaps": "molti|alcuni|gente|spesso|potrebbe|pensano|credono|persone",
        "wait": "aspetta|anzi|scusa|correzione|in realtà|mi sbaglio|mi correggo|scusate|un momento|no|infatti",
        "filler": "la|il|lo|l'opzione|l'|le|i|gli|una|un|mia|finale|lettera|che|la lettera|definitiva",
        "both": "sia|entrambe|tanto",
        "maybe": "forse|magari",
    },
    "pt": {
        "answer": "resposta|respostas|solução|solucao|resultado|gabarito|resposta final|a correta",
        "option": "opção|opcao|alternativa|letra|escolha|afirmação|item|opções|alternativas",
        "is": "é|são|seria|era|deve ser|foi|será",
        "not": "não é|não|nao|nao é|não são|nem|nunca|em vez de|ao invés de|nenhuma",
        "partly": "em parte|tecnicamente|em geral|às vezes",
        "wrong": "incorreta|incorreto|errada|errado|incorretas|erradas|falsa|falso|descartada|descarto|"
        "descartamos|erro|eliminada|descartar",
        "right": "correta|correto|certa|certo|verdadeira|verdadeiro|sim|exata|melhor|corretas|adequada",
        "so": "portanto|então|logo|assim|por isso|trata-se|em conclusão|por conseguinte|mas sim|provavelmente|"
        "certamente|resta|sobra",
        "choose": "escolho|seleciono|diria|eu diria|acho que é|acho|penso|acredito|opto por|fico com|marco|escolheria",
        "because": "porque|pois|já que|que|uma vez que|tem|com|para|visto que|descreve|corresponde|devido",
        "or": "ou|ou então",
        "and": "e|bem como",
        "but": "mas|porém|mas sim|contudo|e sim",
        "perhaps": "muitos|alguns|gente|pessoas|frequentemente|poderia|pensam|acham",
        "wait": "espere|espera|desculpe|correção|na verdade|aliás|enganei-me|perdão|ops|retifico|melhor dizendo",
        "filler": "a|o|os|as|uma|um|minha|final|letra|quanto",
        "both": "ambas|ambos|tanto|as duas",
        "maybe": "talvez|possivelmente",
    },
    "nl": {
        "answer": "antwoord|antwoorden|oplossing|juiste antwoord|uitkomst",
        "option": "optie|keuze|letter|stelling|mogelijkheid",
        "is": "is|zijn|luidt|zou zijn|moet zijn",
        "not": "niet|geen|noch|in plaats van|nooit",
        "wrong": "fout|onjuist|verkeerd|incorrect|foutief|onwaar|valt af|vallen af",
        "right": "juist|juiste|correct|correcte|goed|goede|waar|ja|klopt|beste",
        "so": "dus|daarom|het is|dat is|derhalve|kortom|waarschijnlijk|maar",
        "choose": "kies|ik kies|ik denk|ik zou zeggen|ga voor|neem",
        "because": "omdat|want|aangezien|dat|met|voor|heeft",
        "or": "of|ofwel",
        "and": "en|evenals",
        "but": "maar|echter",
        "perhaps": "als|indien|veel|sommige|mensen|vaak|denken",
        "wait": "wacht|nee|sorry|correctie|eigenlijk|pardon",
        "filler": "de|het|een|mijn|uiteindelijke|definitieve",
        "both": "beide|zowel",
        "maybe": "misschien",
    },
    "sv": {  # and Danish, Norwegian
        "answer": "svar|svaret|svaret är|løsning|lösning|løsningen|lösningen|rätt svar|riktig svar|rigtigt svar|fasit",
        "option": "alternativ|alternativet|bokstav|bokstaven|valg|mulighed|svarsalternativ|påstående",
        "is": "är|er|blir|bliver|være|vara",
        "not": "inte|ikke|ej|istället för|i stedet for|ingen|aldrig",
        "wrong": "fel|felaktigt|felaktig|feil|forkert|galt|falskt|utesluts|fejl",
        "right": "rätt|korrekt|riktigt|riktig|rigtigt|rigtig|sant|ja|sandt|stämmer",
        "so": "alltså|därför|derfor|altså|så|det är|det er|således|utan|men",
        "choose": "väljer|velger|vælger|jag väljer|jeg velger|jeg vælger|jag tror|jeg tror",
        "because": "eftersom|därför att|fordi|för|ty|som|siden",
        "or": "eller",
        "and": "och|og|samt",
        "but": "men|utan|dock",
        "perhaps": "om|många|mange|ofta|ofte|folk|hvis|några",
        "wait": "vänta|vent|nej|nei|förlåt|egentligen|faktiskt|rättelse|undskyld|beklager",
        "filler": "det|den|de|ett|en|et|mitt|slutliga|endelige|korrekte|korrekta|rätta",
        "both": "både",
        "maybe": "kanske|måske",
    },
    "pl": {
        "answer": "odpowiedź|odpowiedz|odpowiedzi|odpowiedzią|rozwiązanie|wynik|odp",
        "option": "opcja|opcję|opcji|litera|wariant|wybór|możliwość|stwierdzenie",
        "is": "to|jest|są|brzmi|będzie|byłaby",
        "not": "nie|nie jest|a nie|ani|zamiast|nigdy|to nie",
        "wrong": "błędna|błędny|błędne|niepoprawna|niepoprawny|niepoprawne|nieprawidłowa|nieprawidłowe|fałszywa|"
        "zła|odrzucam|błąd|nieprawidłowy",
        "right": "poprawna|poprawny|prawidłowa|prawidłowy|prawidłową|poprawną|prawda|tak|właściwa|słuszna|dobra",
        "so": "więc|zatem|dlatego|stąd|a więc|jest to|lecz|prawdopodobnie",
        "choose": "wybieram|myślę|sądzę|uważam|stawiam na|powiedziałbym",
        "because": "ponieważ|bo|gdyż|że|który|która|z|ma",
        "or": "lub|albo|czy",
        "and": "i|oraz|a także",
        "but": "ale|lecz|jednak|tylko",
        "perhaps": "jeśli|jeżeli|gdyby|wielu|niektórzy|ludzie|często|mógłby|ludzi",
        "wait": "czekaj|przepraszam|korekta|właściwie|chwila|poprawka|jednak nie",
        "filler": "ta|ostateczna|moja|ostateczną|jak i|literę",
        "both": "obie|zarówno",
        "maybe": "może|chyba",
    },
    "cs": {  # and Slovak
        "answer": "odpověď|odpoveď|odpovědi|řešení|riešenie|výsledek|odpovědí|odpoveďou",
        "option": "možnost|možnosť|písmeno|varianta|volba|tvrzení",
        "is": "je|jsou|sú|zní|znie|bude|by byla",
        "not": "není|nie je|ne|nie|ani|místo|namiesto|nikdy",
        "wrong": "špatně|špatná|nesprávná|nesprávně|chybná|nepravdivá|nesprávne|chyba|chybně",
        "right": "správná|správně|správna|správne|pravda|ano|áno|pravdivá|správný",
        "so": "tedy|takže|proto|teda|je to|nýbrž|pravděpodobně",
        "choose": "volím|vyberu|vybírám|myslím|vyberám|řekl bych",
        "because": "protože|neboť|pretože|lebo|že|která|má",
        "or": "nebo|alebo|či",
        "and": "a|i|a také",
        "but": "ale|nýbrž|avšak",
        "perhaps": "pokud|kdyby|ak|mnoho|někteří|lidé|často|ľudia",
        "wait": "počkat|pardon|oprava|vlastně|moment|omlouvám se|počkaj",
        "filler": "ta|má|konečná|moje|obě|konečná odpověď",
    },
    "ro": {
        "answer": "răspuns|răspunsul|raspuns|raspunsul|soluția|rezultatul|răspunsul final",
        "option": "opțiunea|opțiune|varianta|variantă|litera|alternativa|opţiunea",
        "is": "este|e|sunt|ar fi|trebuie să fie",
        "not": "nu este|nu|nu e|nici|în loc de|niciodată",
        "wrong": "greșit|greșită|incorect|incorectă|fals|falsă|eronat|exclus|greșite",
        "right": "corect|corectă|adevărat|adevărată|da|bun|potrivită|corecte",
        "so": "deci|prin urmare|așadar|astfel|ci|probabil",
        "choose": "aleg|selectez|cred|aș spune|optez pentru",
        "because": "pentru că|deoarece|fiindcă|care|că|cu|are",
        "or": "sau|ori",
        "and": "și|precum și|si",
        "but": "dar|ci|însă",
        "perhaps": "dacă|mulți|unii|oameni|adesea|oamenii|ar putea",
        "wait": "stai|scuze|corecție|de fapt|ba nu|așteaptă",
        "filler": "cel|cea|o|un|mea|final|cât și",
        "both": "ambele|atât",
    },
    "tr": {
        "answer": "cevap|cevabı|cevabım|yanıt|yanıtı|yanıtım|sonuç|çözüm|doğru cevap",
        "option": "seçenek|seçeneği|şık|şıkkı|harfi",
        "is": "dir|dır|dur|dür|olarak|olmalı|olmalıdır|olur|olacaktır",
        "not": "yerine|asla",
        "not that": "değil|değildir",
        "wrong": "yanlış|yanlıştır|hatalı|hatalıdır|geçersiz|elenir",
        "right": "doğru|doğrudur|doğrusu|evet|geçerli|uygun",
        "so": "yani|bu yüzden|dolayısıyla|öyleyse|o halde|bu nedenle|sonuç olarak|muhtemelen",
        "choose": "seçiyorum|seçerim|bence|sanırım|diyorum",
        "because": "çünkü|zira|ki|için",
        "or": "veya|ya da|yahut",
        "and": "ve|ile",
        "but": "ama|fakat|ancak",
        "perhaps": "eğer|çoğu|bazıları|insanlar|genellikle|ise",
        "wait": "bekle|hayır|pardon|düzeltme|aslında|özür dilerim",
        "filler": "nihai|benim|son|her ikisi",
        "maybe": "belki",
    },
    "ru": {
        "answer": "ответ|ответы|ответом|ответа|решение|результат|итог|отв",
        "option": "вариант|варианта|вариантом|опция|буква|пункт|выбор|утверждение|варианты|букву",
        "is": "это|является|будет|есть|являются|был бы|должен быть|гласит|под буквой",
        "not": "не|нет|не является|ни|вместо|никогда|а не|не это|кроме",
        "partly": "частично|отчасти|технически|иногда",
        "wrong": "неверно|неверный|неверен|неверна|неправильно|неправильный|неправилен|ошибочен|ошибочно|ложно|"
        "исключаем|исключён|исключается|ошибка|неверны|неправильны|не подходит|отпадает|отбрасываем|"
        "неправильна",
        "right": "верно|верный|верен|верна|верным|правильно|правильный|правильным|правильного|правилен|правильна|"
        "истинно|да|подходит|лучший|корректен|верны|правильны",
        "so": "значит|следовательно|поэтому|итак|таким образом|то есть|стало быть|остаётся|остается|"
        "скорее всего|вероятно",
        "choose": "выбираю|выберу|думаю|считаю|полагаю|я бы выбрал|думаю что|я бы сказал",
        "because": "потому|так как|поскольку|ибо|который|которая|что|потому что|т.к|описывает|означает|соответствует|с",
        "or": "или|либо",
        "and": "и|а также",
        "but": "но|а|однако|зато",
        "perhaps": "если|многие|некоторые|люди|часто|бы|может|мог бы|обычно",
        "wait": "подождите|извините|исправление|на самом деле|стоп|погодите|поправка|точнее|ошибся|вернее|постойте",
        "filler": "мой|окончательный|так и|финальный|именно|мой окончательный",
        "both": "оба|как",
        "maybe": "возможно|может быть|наверное",
    },
    "uk": {
        "answer": "відповідь|відповіді|відповіддю|розв'язок|результат",
        "option": "варіант|варіанта|варіантом|літера|пункт|вибір",
        "is": "це|є|буде|під літерою",
        "not": "не|ні|не є|замість|а не",
        "wrong": "неправильно|неправильна|неправильний|хибно|хибний|невірно|невірний|помилка",
        "right": "правильно|правильна|правильний|правильною|вірно|вірний|так|правильним|вірна",
        "so": "отже|тому|таким чином|значить|отож",
        "choose": "обираю|вибираю|думаю|вважаю",
        "because": "тому що|бо|оскільки|який|яка|що",
        "or": "або|чи",
        "and": "і|та|й",
        "but": "але|а|проте",
        "perhaps": "якщо|багато|деякі|люди|часто|якби",
        "wait": "зачекайте|вибачте|насправді|виправлення|точніше",
        "filler": "моя|остаточна|саме",
        "both": "обидва",
    },
    "el": {
        "answer": "απάντηση|απάντησή|λύση|αποτέλεσμα",
        "option": "επιλογή|γράμμα",
        "is": "είναι|ήταν|θα ήταν",
        "not": "δεν|δεν είναι|όχι|ούτε|αντί",
        "wrong": "λάθος|λανθασμένη|εσφαλμένη|ψευδής|λανθασμένο",
        "right": "σωστή|σωστό|αληθής|ναι|ορθή|σωστά",
        "so": "άρα|επομένως|συνεπώς|οπότε",
        "choose": "επιλέγω|νομίζω|πιστεύω",
        "because": "επειδή|γιατί|διότι|που|αφού",
        "or": "ή",
        "and": "και",
        "but": "αλλά|όμως",
        "perhaps": "αν|εάν|πολλοί|κάποιοι|συχνά|ίσως",
        "wait": "περίμενε|συγγνώμη|διόρθωση|μάλλον|βασικά",
        "filler": "η|το|ο|τελική|μου",
    },
    "hu": {
        "answer": "válasz|válaszom|megoldás|a helyes válasz|eredmény",
        "option": "opció|lehetőség|betű",
        "is": "a|az|lenne",
        "not": "nem|helyett|sem",
        "wrong": "helytelen|hibás|téves|hamis|rossz",
        "right": "helyes|igaz|igen|jó|megfelelő",
        "so": "tehát|ezért|így|vagyis|hanem",
        "choose": "választom|szerintem|azt hiszem",
        "because": "mert|mivel|ugyanis",
        "or": "vagy",
        "and": "és",
        "but": "de|hanem|azonban",
        "perhaps": "ha|sokan|néhányan|gyakran|talán",
        "wait": "várj|bocsánat|javítás|valójában|mégsem",
        "filler": "végső",
    },
    "fi": {
        "answer": "vastaus|vastaukseni|ratkaisu|oikea vastaus",
        "option": "vaihtoehto|kirjain|väite",
        "is": "on|olisi|ovat",
        "not": "ei|ei ole|sijaan|eikä",
        "wrong": "väärin|väärä|virheellinen|epätosi",
        "right": "oikein|oikea|totta|kyllä|paras",
        "so": "siis|joten|näin ollen|siksi|se on|vaan",
        "choose": "valitsen|luulen|uskon",
        "because": "koska|sillä|joka",
        "or": "tai",
        "and": "ja|sekä",
        "but": "mutta|vaan",
        "perhaps": "jos|monet|usein|jotkut|ehkä",
        "wait": "odota|anteeksi|korjaus|itse asiassa",
        "filler": "lopullinen|minun",
    },
    "id": {  # and Malay
        "answer": "jawaban|jawabannya|jawapan|solusi|hasil|jawab",
        "option": "opsi|pilihan|huruf|pernyataan",
        "is": "adalah|ialah|yaitu|merupakan",
        "not": "bukan|tidak|bukanlah|daripada|bukannya",
        "wrong": "salah|keliru|tidak benar|tidak tepat",
        "right": "benar|tepat|betul|ya|sesuai",
        "so": "jadi|oleh karena itu|maka|dengan demikian|sehingga|melainkan|kemungkinan",
        "choose": "memilih|pilih|saya memilih|menurut saya|saya pikir",
        "because": "karena|sebab|yang|kerana",
        "or": "atau",
        "and": "dan|serta",
        "but": "tetapi|tapi|melainkan|namun",
        "perhaps": "jika|kalau|banyak|orang|sering|beberapa",
        "wait": "tunggu|maaf|koreksi|sebenarnya|ralat",
        "filler": "akhir|saya|yang benar|yang tepat",
        "both": "kedua",
        "maybe": "mungkin",
    },
    "vi": {
        "answer": "đáp án|câu trả lời|trả lời|kết quả|lời giải",
        "option": "phương án|lựa chọn|chọn đáp án|ý",
        "is": "là|sẽ là|phải là",
        "not": "không phải|không|không phải là|chứ không phải|thay vì",
        "wrong": "sai|không đúng|không chính xác",
        "right": "đúng|chính xác|phải|phù hợp",
        "so": "vậy|do đó|vì vậy|nên|vì thế|mà là",
        "choose": "chọn|tôi chọn|tôi nghĩ|tôi cho rằng",
        "because": "vì|bởi vì|do|bởi",
        "or": "hoặc|hay",
        "and": "và",
        "but": "nhưng|mà",
        "perhaps": "nếu|nhiều|một số|thường|có thể",
        "wait": "khoan|xin lỗi|thực ra|đợi đã|đính chính",
        "filler": "cuối cùng|của tôi|cả|cả hai",
    },
    "ar": {
        "answer": "الإجابة|إجابة|الاجابة|اجابة|الجواب|جواب|الحل|والإجابة|فالإجابة|إجابتي|النتيجة|والجواب|فالجواب|"
        "إجابتك",
        "option": "الخيار|خيار|الاختيار|الحرف|حرف|البديل|العبارة|والخيار",
        "is": "هو|هي|هما|يكون|تكون|هى",
        "not": "ليس|ليست|لا|غير|بدلا من|بدلاً من|ليسا|وليس|وليست",
        "wrong": "خطأ|خاطئ|خاطئة|خاطئان|خاطئه|نستبعد|مستبعد|غير صحيح|غير صحيحة|باطل",
        "right": "صحيح|صحيحة|الصحيح|الصحيحة|صواب|نعم|الأفضل|الصحيحه|صحيحان|الأنسب",
        "so": "إذن|لذلك|لذا|وبالتالي|بالتالي|إذا|إنه|إنها|بل|وعليه|فهو|فهي",
        "choose": "أختار|اختار|أعتقد|أظن|سأختار",
        "because": "لأن|لأنه|لأنها|حيث|الذي|التي|وهو|وهي|بسبب",
        "or": "أو|او|أم",
        "and": "و|وكذلك",
        "but": "لكن|ولكن|بل",
        "perhaps": "لو|كثير|بعض|الناس|غالبا|قد|يظن|يعتقد",
        "wait": "انتظر|عفوا|عفوًا|تصحيح|في الواقع|آسف|مهلا",
        "filler": "النهائية|النهائي|كلا|كل من|رقم",
        "maybe": "ربما",
    },
    "fa": {
        "answer": "پاسخ|جواب|پاسخ نهایی|راه‌حل",
        "option": "گزینه|گزینهٔ|گزینه‌ی|حرف",
        "is": "باشد|است|می‌باشد|برابر است با",
        "not": "نه|به جای",
        "not that": "نیست",
        "wrong": "نادرست|غلط|اشتباه|نادرست است",
        "right": "درست|صحیح|بله|درست است",
        "so": "پس|بنابراین|در نتیجه|بلکه",
        "choose": "انتخاب|انتخاب می‌کنم|فکر می‌کنم",
        "because": "زیرا|چون|که",
        "or": "یا",
        "and": "و",
        "but": "اما|ولی|بلکه",
        "perhaps": "اگر|بسیاری|برخی|شاید",
        "wait": "صبر|ببخشید|اصلاح|در واقع",
        "filler": "نهایی|من",
    },
    "he": {
        "answer": "תשובה|התשובה|תשובתי|פתרון|הפתרון",
        "option": "אפשרות|האפשרות|אות",
        "is": "היא|הוא|הינה|הינו",
        "not": "לא|אינה|אינו|במקום|אין",
        "wrong": "שגוי|שגויה|לא נכון|לא נכונה|טעות",
        "right": "נכון|נכונה|הנכונה|כן|הנכון",
        "so": "לכן|אז|זה|זו|אלא",
        "choose": "בוחר|בוחרת|חושב",
        "because": "כי|משום|מכיוון",
        "or": "או",
        "and": "ו|וגם",
        "but": "אבל|אלא|אך",
        "perhaps": "אם|רבים|אנשים|לפעמים|אולי",
        "wait": "רגע|סליחה|תיקון|בעצם",
        "filler": "הסופית|שלי",
    },
    "hi": {  # and Marathi, Nepali
        "answer": "उत्तर|जवाब|हल|समाधान|उत्तर है",
        "option": "विकल्प|अक्षर|पर्याय|कथन",
        "is": "है|हैं|होगा|होगी|था|आहे",
        "not": "न|ना|बजाय",
        "not that": "नहीं|नहीं है|नाही",
        "wrong": "गलत|ग़लत|असत्य|अशुद्ध|चुकीचे",
        "right": "सही|सत्य|ठीक|हाँ|हां|उचित|बरोबर",
        "so": "इसलिए|अतः|तो|यह|इस प्रकार|बल्कि|म्हणून",
        "choose": "चुनता|चुनूंगा|चुनूँगा|चुनती|लगता",
        "because": "क्योंकि|जो|कि|के",
        "or": "या|अथवा",
        "and": "और|तथा|एवं",
        "but": "लेकिन|परंतु|बल्कि|मगर",
        "perhaps": "अगर|यदि|लोग|कई|अक्सर|कुछ",
        "wait": "रुको|रुकिए|माफ़|क्षमा|सुधार|दरअसल|वास्तव में|असल में",
        "filler": "अंतिम|मेरा|दोनों|का|की|में|से",
        "maybe": "शायद",
    },
    "bn": {
        "answer": "উত্তর|উত্তরটি|সমাধান|জবাব",
        "option": "বিকল্প|অপশন",
        "is": "হল|হলো|হবে|হচ্ছে",
        "not": "নেই",
        "not that": "নয়|না",
        "wrong": "ভুল|অসত্য",
        "right": "সঠিক|সত্য|হ্যাঁ|ঠিক",
        "so": "তাই|সুতরাং|অতএব|এটি|বরং",
        "choose": "নির্বাচন|বেছে",
        "because": "কারণ|যে|যা",
        "or": "বা|অথবা",
        "and": "এবং|ও",
        "but": "কিন্তু|বরং",
        "perhaps": "যদি|অনেকে|কেউ",
        "wait": "অপেক্ষা|দুঃখিত|আসলে",
        "filler": "চূড়ান্ত|আমার",
    },
    "th": {
        "answer": "คำตอบ|เฉลย|ตอบ|คำตอบสุดท้าย",
        "option": "ตัวเลือก|ข้อ",
        "is": "คือ|เป็น",
        "not": "ไม่ใช่|ไม่|แทนที่จะเป็น",
        "wrong": "ผิด|ไม่ถูกต้อง|ไม่ถูก",
        "right": "ถูกต้อง|ถูก|ใช่",
        "so": "ดังนั้น|จึง|แต่เป็น",
        "choose": "เลือก|คิดว่า",
        "because": "เพราะ|เนื่องจาก|ที่",
        "or": "หรือ",
        "and": "และ",
        "but": "แต่",
        "perhaps": "ถ้า|หาก|หลายคน|บางคน",
        "wait": "เดี๋ยว|ขอโทษ|แก้ไข",
        "filler": "ของฉัน|ทั้ง",
    },
    "zh": {
        "answer": "答案|回答|答|结论|結論|正确答案|正確答案|解答|结果|最终答案|最終答案",
        "option": "选项|選項|字母|选择项",
        "is": "是|为|為|就是|即|等于",
        "not": "不是|并非|並非|不|非|而不是|而非|没有|不能选|不选|不選|不为",
        "partly": "部分|部分地|有时",
        "wrong": "错误|錯誤|错|錯|不正确|不正確|不对|不對|排除|有误|不符合|不成立|不合适|干扰项",
        "right": "正确|正確|对|對|对的|對的|符合|成立|最佳|最合适|正确的|正確的",
        "so": "应该选择|應該選擇|"
        "应为|應為|应该是|應該是|应该选|應該選|应是|所以|因此|故|综上|綜上|于是|那么|故选|故選|而是|因而|"
        "这是|它是|可能是|显然|就选",
        "choose": "选择|選擇|选|選|选出|我认为|我認為|我觉得|我覺得",
        "because": "解析|分析|解释|解釋|因为|因為|由于|由於|的|表示|描述|理由|指",
        "or": "或|或者|或是|还是|還是|抑或",
        "and": "和|与|與|及|以及|并且|跟|、",
        "but": "但|但是|而|不过|然而",
        "perhaps": "如果|若|假如|很多人|有人|有些人|人们|可能会|常常|容易",
        "wait": "等等|不对，|不對，|更正|其实|其實|抱歉|实际上|實際上|哦不|重新考虑|纠正|说错了",
        "filler": "我的|本题|本題|最终|最終|这道题|都|两个|了|项|項|该",
        "both": "均",
        "maybe": "可能|也许|或许",
    },
    "ja": {
        "answer": "答え|答|解答|回答|正解|正答|結論|最終回答|最終的な答え|解",
        "option": "選択肢|記号|選択|肢|番号",
        "is": "は|です|である|だ|となります|になります|でしょう|だと思います|となる|であり|と考えられます|"
        "でした|とする|じゃ",
        "not": "ない|なく|以外",
        "not that": "ではなく|ではない|ではありません|でなく|じゃなく|じゃない|じゃありません",
        "partly": "部分的に|一部",
        "wrong": "誤り|間違い|不正解|間違って|誤って|不適切|不適当|正しくない|正しくありません|違います|違う|除外|"
        "該当しない",
        "right": "正しい|正しく|適切|最も適切|適当|当てはまる|該当する|正確",
        "so": "したがって|よって|従って|つまり|ゆえに|だから|それゆえ|以上より|ですから|それは|おそらく",
        "choose": "選びます|選ぶ|選択します|選んだ|と思います|を選",
        "because": "解説|なぜなら|から|ので|ため|理由は|という|の",
        "or": "または|もしくは|あるいは|か",
        "and": "と|および|及び|そして|も|、",
        "but": "しかし|でも|ですが|だが",
        "perhaps": "もし|場合|多くの人|人々|よく|かもしれ|と思われがち|一見",
        "wait": "待って|すみません|訂正|いや|実は|失礼|いいえ、|実際には|間違えました|やはり",
        "filler": "私の|最終|が|を|番|正しい答え|正しい選択肢|で|に",
        "both": "両方|どちらも",
        "maybe": "たぶん|多分",
    },
    "ko": {
        "answer": "정답|정답은|답|답은|답변|해답|정답이|답이|결론은|최종 답|정답입니다|답입니다|정답으로",
        "option": "선택지|보기|선택|선지|항목",
        "is": "는|은|입니다|이다|이에요|예요|이며|다|이므로|가 됩니다|임|이고",
        "not": "않|대신",
        "not that": "아니라|아닙니다|아니다|아니고|아닌|아니에요",
        "partly": "부분적으로|일부",
        "wrong": "틀렸|틀린|틀립|오답|잘못|거짓|부적절|제외|옳지 않|맞지 않|올바르지 않|적절하지 않",
        "right": "맞습니다|맞다|맞는|옳은|옳습니다|옳다|올바른|참|정확|적절|가장 적절한|옳",
        "so": "따라서|그러므로|그래서|즉|결국|결론적으로|그것은|이것은|아마",
        "choose": "선택합니다|고르|고릅니다|선택하겠습니다|생각합니다|를 선택|을 선택",
        "because": "왜냐하면|때문|이유|라는|라고|의",
        "or": "또는|혹은|이나|나|거나",
        "and": "와|과|및|그리고|하고|도",
        "but": "하지만|그러나|그런데|지만",
        "perhaps": "만약|만일|많은 사람|사람들|흔히|수도|면",
        "wait": "잠깐|죄송|정정|사실|아니,|아뇨|다시 생각|실제로",
        "filler": "최종|이|가|를|을|번|나의|제|모두|올바른 답|로|으로|에서",
        "both": "둘 다",
        "maybe": "아마도",
    },
}

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
"""How replies refuse to answer: patterns of lower-case text."""

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

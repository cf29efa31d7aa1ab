"""The words of replies in the languages of Western Europe, by language and role."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "answer": "answer|answers|solution|response|conclusion|verdict|final|reply|ans|correct one|right one|"
        "best one|"
        "answer's",
        "option": "graph|curve|diagram|figure|"
        "option|choice|letter|selection|pick|alternative|item|statement|candidate|options|choices|letters|"
        "statements",
        "is": "is|are|was|be|being|equals|would be|should be|must be|has to be|will be|to be|seems|"
        "seems to be|appears to be|seem|becomes|remains|stays|namely|comes out as|turns out to be",
        "not": "not|isn't|isnt|aren't|wasn't|never|neither|nor|cannot|can't|cannot be|can't be|couldn't|"
        "couldn't be|doesn't|don't|didn't|won't|wouldn't|shouldn't|rather than|instead of|"
        "as opposed to|unlike|without|anything but|ain't|no|"
        "not be|over",
        "partly": "partially|partly|technically|sometimes|only sometimes|only for|only in|only partially|only partly|"
        "in part|in general|in principle|in theory|in some cases|in other cases|in other contexts|for other|"
        "to a different|for a different|to another|in a different|half",
        "wrong": "do not fit|does not fit|don't fit|doesn't fit|do not apply|does not apply|doesn't apply|"
        "do not match|does not match|doesn't match|don't match|do not satisfy|does not satisfy|"
        "doesn't satisfy|doesn't work|does not work|doesn't make sense|does not make sense|wrong|incorrect|"
        "incorrectly|false|invalid|mistaken|inaccurate|untrue|eliminated|"
        "eliminate|eliminating|excluded|exclude|ruled out|rule out|rules out|ruling out|discard|"
        "discarded|reject|rejected|rejecting|trap|distractor|distractors|out|mistake|error|"
        "misleading|implausible|impossible|unlikely|irrelevant|fails|fail|dismiss|dismissed|"
        "inappropriate|unsupported|misconception|contradicts|cross out|crossed out|nope",
        "so is": "so is|so are|as is|as are|likewise",
        "right": "more likely|more precise|more accurate|more plausible|more appropriate|more suitable|"
        "best describes|"
        "best explains|best fits|best represents|best matches|fits best|makes the most sense|makes more sense|"
        "hold true|holds true|apply|are the ones|"
        "right|correct|true|best|valid|accurate|yes|appropriate|correctly|better|most likely|ok|"
        "fits|matches|works|most plausible|most probable|most reasonable|most logical|most fitting|"
        "most accurate|most appropriate|winner|preferred|most suitable|"
        "indeed correct|odd one out|odd man out|the exception",
        "so": "so|thus|turns out|therefore|hence|it's|it is|its|that's|that is|this is|that makes it|"
        "which is|consequently|accordingly|that leaves|leaves|leaving|leaves us with|"
        "leaving us with|leaves only|leaving only|that leaves us with|points to|leads to|gives|"
        "ergo|in conclusion|must be|has to be|overall|finally|in summary|to conclude|it must be|"
        "it has to be|it should be|it would be|definitely|probably|clearly|most probably|"
        "obviously|certainly|surely|hence it is|instead|gives us|then|as it stands",
        "choose": "think|believe|if forced|if pressed|if forced to choose|if i had to choose|if i had to pick|"
        "if i had to guess|if i must choose|i now think|choose|chose|prefer|choosing|pick|picked|picking|select|"
        "selected|selecting|go with|"
        "going with|went with|go for|going for|opt for|opting for|opted for|vote|vote for|guess|"
        "say|settle on|answer with|lean towards|lean toward|leaning towards|bet on|i'd say|"
        "i choose|i pick|i select|i'd pick|i'd choose|i'd go with|i will go with|i'll go with|"
        "i would go with|i would say|my guess|my pick|i think|i believe|stick with|sticking with|"
        "mark|tick|switch to|change to|change my answer to|conclude",
        "because": "explanation|rationale|justification|reasoning|than|to|because|since|as|for|due to|given|"
        "which|that|who|whose|with|whereas|though|although",
        "or": "or|or maybe|or perhaps|or possibly|or else|and/or",
        "and": "and|as well as|plus|together with|along with|and also",
        "but": "but|however|yet|nevertheless|still|whereas",
        "perhaps": "if|unless|people|students|someone|some might|some may|some would|some say|some argue|"
        "many would|many think|many might|others say|others think|might think|may think|could be|"
        "may be|might be|might also be|may also be|could also be|"
        "might have been|would have been|tempting|tempted|often confused|"
        "commonly|common mistake|confused with|could think|might say|might seem|might appear|"
        "first instinct|my instinct|at first|initially|first glance|suppose|assume|assuming|seemingly|"
        "one might|you might|"
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
        "too": "too|as well|also choose|also pick|also select|also go with|also mark|also say",
        "both": "both|both of",
        "maybe": "maybe|perhaps|possibly|likely|leaning",
        "glue": "first option|second option|third option|fourth option|last option|next option|another option|"
        "second choice|third choice|second guess|"
        "more likely to|to rule out|to exclude|to eliminate|makes|produces|explains|satisfies|applies|contains|"
        "holds|one option|other option|"
        "other options|first statement|second statement|third statement|"
        "out of|where|when|while|from|in|on|at|of|by|has|have|had|does|did|do|can|could|will|would|"
        "may|might|must|should|says|states|means|describes|represents|refers|shows|it|this|we|"
        "they|he|she|here|again|after|before|per",
        "all": "all|all of the following|all the following|each of the following|each of these|each of those|"
        "each one|all of the above|all the above|all of these|all of those|"
        "all of them|"
        "all of the options|all of the answers|all of the choices|all of the statements|all four|"
        "all three|all five|all two|all the options|every option|every answer|every one|"
        "everything|each of them|each of the options|each option",
        "none": "none|none of the above|none of these|none of those|none of them|none of the options|"
        "none of the answers|none of the choices|none of the statements|no option|nothing",
        "the rest": "the others|the rest|all others|all the others|all of the others|all the rest|the other three|"
        "the other options|the other statements|the remaining options|the remaining three",
        "except": "except|except for|excluding|apart from|aside from|other than|save for|with the exception of|but not",
    },
    "de": {
        "answer": "antwort|antworten|lösung|lösungen|ergebnis|antwortet|endergebnis|richtige|richtig ist|"
        "korrekt ist|antwortmöglichkeit",
        "option": "option|möglichkeit|auswahl|buchstabe|aussage|variante|wahl|alternative|antwortoption",
        "is": "fällt auf|ist|sind|lautet|wäre|heißt|war|müsste|muss|sein|lauten",
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
        "too": "auch|ebenfalls",
        "maybe": "vielleicht|eventuell|möglicherweise",
        "all": "alle|alles|sämtliche|alle oben genannten|alle genannten|alle davon|sie alle",
        "none": "keine davon|keine der genannten|keine der oben genannten|keine der antworten|"
        "keine der optionen|keine der aussagen|keine von ihnen|keine von diesen|keines davon|"
        "keines der genannten|nichts davon",
        "the rest": "die anderen|alle anderen|die übrigen|die restlichen|die anderen drei",
        "except": "außer|ausser|bis auf|mit ausnahme von|ausgenommen",
        "glue": "erste option|ersten option|zweite option|dritte option|vierte option|letzte option|nächste option|"
        "andere option",
    },
    "fr": {
        "answer": "réponse|reponse|réponses|solution|résultat|bonne réponse|la bonne|réponse finale",
        "option": "option|choix|lettre|proposition|alternative|affirmation|l'affirmation|l'énoncé|énoncé",
        "is": "est|sont|serait|était|doit être|etait|sera",
        "not": "n'est pas|n'est|non|pas|ni|aucun|aucune|jamais|plutôt que|au lieu de|non pas|ne sont pas|ne",
        "partly": "pour une autre|pour un autre|partiellement|en partie|techniquement|en général|parfois",
        "wrong": "faux|fausse|fausses|incorrect|incorrecte|incorrectes|erroné|erronée|mauvaise|mauvais|inexacte|"
        "inexact|à exclure|exclue|exclu|éliminer|éliminée|exclure|erreur",
        "right": "correctes|corrects|vraies|exactes|justes|"
        "correct|correcte|vrai|vraie|juste|exacte|exact|bonne|bon|oui|meilleure|meilleur|convient",
        "so": "donc|ainsi|par conséquent|c'est|alors|il s'agit de|il s'agit|en conclusion|d'où|ce serait|"
        "c'est donc|reste|sûrement|probablement",
        "choose": "il faut choisir|choisis|je choisis|je dirais|je pense|je crois|opte pour|sélectionne|"
        "prends|je réponds|"
        "je pense que|je crois que c'est|je pense que c'est",
        "because": "car|parce|parce que|puisque|qui|que|qu'elle|en effet|a|avec|pour|correspond|décrit|désigne",
        "or": "ou|ou bien|soit",
        "and": "et|ainsi que",
        "but": "mais|cependant|toutefois",
        "perhaps": "si|beaucoup|certains|gens|souvent|on pourrait|pourrait|pensent|croient",
        "wait": "attendez|pardon|correction|en fait|finalement|erratum|désolé|attends|plutôt|en réalité",
        "filler": "la|le|les|l'option|l'|une|un|ma|finale|définitive|lettre|d'|de",
        "both": "à la fois|les deux|tant",
        "too": "aussi|également",
        "maybe": "peut-être|peut - être|éventuellement",
        "all": "toutes|tous|tout|toutes ces|toutes les|tous les",
        "none": "aucune des réponses|aucune de ces réponses|aucune des options|aucune des propositions|"
        "aucune d'entre elles|aucune de ces options|aucune de ces propositions|aucun d'entre eux|"
        "aucune de ces",
        "the rest": "les autres|toutes les autres|tous les autres|les trois autres",
        "except": "sauf|excepté|à part|hormis|à l'exception de",
        "glue": "première option|deuxième option|seconde option|troisième option|"
        "dernière option|autre option|premier choix",
    },
    "es": {
        "answer": "respuesta|respuestas|solución|solucion|resultado|respuesta final|la correcta|resp",
        "option": "opción|opcion|alternativa|letra|inciso|elección|afirmación|opciones",
        "is": "es|son|está|están|sería|seria|debe ser|fue|será",
        "not": "no es|no|no son|ni|nunca|en lugar de|en vez de|tampoco|ninguna",
        "partly": "para otra|para otro|parcialmente|en parte|técnicamente|en general|a veces",
        "wrong": "incorrecta|incorrecto|incorrectas|incorrectos|falsa|falso|errónea|erróneo|equivocada|mal|"
        "descartada|descarta|descartamos|descartar|error|equivocado",
        "right": "correctas|correctos|verdaderas|ciertas|válidas|"
        "correcta|correcto|verdadera|verdadero|cierta|cierto|sí|exacta|mejor|adecuada|válida",
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
        "too": "también",
        "maybe": "quizás|quizá|tal vez|posiblemente",
        "all": "todas|todos|todo|todas ellas|todas las anteriores|todos los anteriores|todas las|todos los",
        "none": "ninguna|ninguno|ninguna de las anteriores|ninguno de los anteriores|ninguna de ellas|"
        "ninguna de las opciones|ninguna de las respuestas",
        "the rest": "las demás|los demás|las otras|las otras tres|todas las demás",
        "except": "excepto|menos|salvo|a excepción de",
        "glue": "primera opción|segunda opción|tercera opción|última opción|otra opción|siguiente opción",
    },
    "it": {
        "answer": "risposta|risposte|soluzione|risultato|la corretta|risposta finale|quella giusta",
        "option": "opzione|alternativa|lettera|scelta|affermazione|opzioni",
        "is": "è|sono|sarebbe|era|dev'essere|deve essere|e'|sarà",
        "not": "non è|non|non sono|né|mai|invece di|anziché|nessuna|piuttosto che",
        "partly": "parzialmente|in parte|tecnicamente|in generale|talvolta",
        "wrong": "errata|errato|sbagliata|sbagliato|errate|sbagliate|falsa|falso|scorretta|scorretto|scartata|"
        "esclusa|scarto|escludo|errore|escludere",
        "right": "corretta|corretto|giusta|giusto|vera|vero|esatta|esatto|sì|migliore|corrette|giuste|vere|veri|esatte",
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
        "too": "anche",
        "maybe": "forse|magari",
        "all": "tutte|tutti|tutto|tutte le|tutti i|tutte le precedenti",
        "none": "nessuna delle precedenti|nessuna di queste|nessuna delle opzioni|nessuna delle risposte|"
        "nessuna di esse",
        "the rest": "le altre|gli altri|tutte le altre",
        "except": "tranne|eccetto|salvo|a parte|ad eccezione di",
        "glue": "prima opzione|seconda opzione|terza opzione|ultima opzione|altra opzione",
    },
    "pt": {
        "answer": "resposta|respostas|solução|solucao|resultado|gabarito|resposta final|a correta",
        "option": "opção|opcao|alternativa|letra|escolha|afirmação|item|opções|alternativas",
        "is": "é|são|está|estão|seria|era|deve ser|foi|será",
        "not": "não é|não|nao|nao é|não são|nem|nunca|em vez de|ao invés de|nenhuma",
        "partly": "em parte|tecnicamente|em geral|às vezes",
        "wrong": "incorreta|incorreto|errada|errado|incorretas|erradas|falsa|falso|descartada|descarto|"
        "descartamos|erro|eliminada|descartar",
        "right": "corretos|certas|verdadeiras|"
        "correta|correto|certa|certo|verdadeira|verdadeiro|sim|exata|melhor|corretas|adequada",
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
        "too": "também",
        "maybe": "talvez|possivelmente",
        "all": "todas|todos|tudo|todas as|todos os|todas as anteriores|todas elas|todas as alternativas|"
        "todas as opções",
        "none": "nenhuma das anteriores|nenhuma das alternativas|nenhuma das opções|nenhuma delas|"
        "nenhuma destas|nenhuma das respostas",
        "the rest": "as demais|as outras|todas as outras|os demais",
        "except": "exceto|menos|salvo|com exceção de",
        "glue": "primeira opção|segunda opção|terceira opção|última opção|"
        "outra opção|primeira alternativa|segunda alternativa",
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
        "too": "ook",
        "maybe": "misschien",
        "all": "alle|allemaal|alles|alle bovenstaande",
        "none": "geen van alle|geen van bovenstaande|geen van de bovenstaande|geen van deze|geen van hen|"
        "geen van de opties|geen van de antwoorden",
        "except": "behalve|uitgezonderd|op",
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
        "too": "också|også",
        "maybe": "kanske|måske",
        "all": "alla|alle|alla ovanstående|alle ovenstående",
        "none": "ingen av ovanstående|ingen av dem|ingen af dem|ingen av de|inget av ovanstående|inget av dem",
        "except": "utom|förutom|bortsett från|undtagen|unntatt|bortset fra",
    },
}

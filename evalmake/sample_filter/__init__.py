"""The language in which `evalmake results --where` chooses samples: `score < 0.5 and "Paris" in reply`.

Its specification is on the manual page `results`. It is pure, and small enough to be written again in another language.
"""

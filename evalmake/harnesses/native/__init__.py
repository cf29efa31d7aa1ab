"""evalmake's own small harness: asks a model the questions of a data file and scores the replies.

One evaluation runs it as a program, `python -m evalmake.harnesses.native task.json`; what to ask is in the
task file, whom to ask in the environment, and what came of it in `samples.jsonl` and `scores.json`.
"""

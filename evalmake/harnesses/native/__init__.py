"""The native harness: sends the questions of a data file to a model and scores the replies.

An evaluation runs `python -m evalmake.harnesses.native task.json`. The task file names the data, prompt
and scorer; the environment names the model; the program writes `samples.jsonl` and `scores.json`.
`harness.py` is the adapter that evalmake loads; the other modules are the program.
"""

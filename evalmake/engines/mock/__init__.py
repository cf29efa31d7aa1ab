"""The mock engine's server: an OpenAI-compatible stand-in for a model.

What it is: a server for the quickstart, for rehearsals and for tests, with a declared skill and
declared faults. Each question draws a number from its text and the seeds; below `skill` the
answer is right, else it is plausibly wrong. It computes sums, finds their value among the options
of a multiple-choice question, and grades one given answer against an expected one.

What it is not: a model. It never sees a benchmark's targets and understands nothing. A score
measured against it says something about the plumbing and nothing about any model.

Run it with `python -m evalmake.engines.mock --port-file PATH --settings '{"skill": 0.9}'`.
"""

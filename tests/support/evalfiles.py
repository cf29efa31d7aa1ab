"""Small Evalfiles, whole."""

from __future__ import annotations

PROGRAM = """\
model m {
    endpoint = "http://127.0.0.1:9/v1"
    name     = "m"
}
benchmark b {
    harness = command
    files   = file("job.sh")
    run     = "sh data/job.sh"
}
eval e {
    model     = m
    benchmark = b
    require accuracy >= 80%
}
"""
"""The benchmark is a program that leaves scores and asks no model."""

QUESTIONS = """\
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }

benchmark b {
    harness = native
    files   = file("DATA")
    prompt  = "{question}"
    target  = "{answer}"
    scorer  = exact
}

eval e { model = m, benchmark = b }
"""
"""The benchmark asks the questions of a file."""

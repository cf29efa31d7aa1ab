"""An Evalfile whose benchmark is a program that leaves scores and asks no model."""

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

"""evalmake from Python: one evaluation by its arguments, or whole Evalfiles.

All of it goes the way of the command line, through the same plan and store, and so can be called
from notebooks and from threads: nothing is printed unless it is asked for, and mistakes are
`EvalmakeError`s whose text says what is wrong, where, and what to do.
"""

from evalmake.api.declarations import Benchmark, Deployment, Executor, Model, secret
from evalmake.api.evalfiles import Plan, Project, build, load, plan
from evalmake.api.evaluation import evaluate
from evalmake.api.results import Result, Results, Score
from evalmake.language.diagnostic import EvalmakeError
from evalmake.run.events import Event

__all__ = [
    "Benchmark",
    "Deployment",
    "EvalmakeError",
    "Event",
    "Executor",
    "Model",
    "Plan",
    "Project",
    "Result",
    "Results",
    "Score",
    "build",
    "evaluate",
    "load",
    "plan",
    "secret",
]

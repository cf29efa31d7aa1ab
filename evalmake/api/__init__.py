"""evalmake from Python: one evaluation by its arguments, or whole Evalfiles.

It uses the same plan and store as the command line. You can call it from notebooks and threads:
it prints nothing unless asked, and mistakes are `EvalmakeError`s whose text says what is wrong, where,
and what to do.
"""

from evalmake.api.declarations import Benchmark as Benchmark
from evalmake.api.declarations import Deployment as Deployment
from evalmake.api.declarations import Executor as Executor
from evalmake.api.declarations import Model as Model
from evalmake.api.declarations import secret as secret
from evalmake.api.evalfiles import Plan as Plan
from evalmake.api.evalfiles import Project as Project
from evalmake.api.evalfiles import build as build
from evalmake.api.evalfiles import load as load
from evalmake.api.evalfiles import plan as plan
from evalmake.api.evaluation import evaluate as evaluate
from evalmake.api.results import Result as Result
from evalmake.api.results import Results as Results
from evalmake.api.results import Score as Score
from evalmake.language.diagnostic import EvalmakeError as EvalmakeError
from evalmake.run.events import Event as Event

"""Make for evaluations of language models: what `import evalmake` offers, with its types."""

from evalmake.api import Benchmark as Benchmark
from evalmake.api import Deployment as Deployment
from evalmake.api import EvalmakeError as EvalmakeError
from evalmake.api import Event as Event
from evalmake.api import Executor as Executor
from evalmake.api import Model as Model
from evalmake.api import Plan as Plan
from evalmake.api import Project as Project
from evalmake.api import Result as Result
from evalmake.api import Results as Results
from evalmake.api import Score as Score
from evalmake.api import build as build
from evalmake.api import evaluate as evaluate
from evalmake.api import load as load
from evalmake.api import plan as plan
from evalmake.api import secret as secret

__version__: str

"""Who made an attempt: the user, the host, and the Evalfile by its path from the store. `evalmake history` shows it.

It is part of no identity, and reports leave it out.
"""

from __future__ import annotations

import os
import pwd
import socket

from evalmake.project.matrix import Evaluation

USER, HOST, EVALFILE, MODEL, BENCHMARK = "user", "host", "evalfile", "model", "benchmark"
"""Facts of a record."""


def describe_origin(evaluation: Evaluation, evalfile: str) -> dict[str, str]:
    """The facts about an attempt of this process."""
    names = {MODEL: evaluation.model.name, BENCHMARK: evaluation.benchmark_name}
    return {**names, **describe_maker(evalfile)}


def describe_maker(evalfile: str) -> dict[str, str]:
    """The facts about this process."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may know no name
        user = str(os.geteuid())
    return {USER: user, HOST: socket.gethostname(), EVALFILE: evalfile}

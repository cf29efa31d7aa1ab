"""Make for evaluations of language models."""

__version__ = "0.1.0"
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


def __getattr__(name):  # its types are in __init__.pyi
    """A public name from `evalmake.api`, which is imported when the first name is used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("evalmake.api"), name)


def __dir__():
    """The names that a notebook completes: the public ones, imported or not."""
    return sorted({*globals(), *__all__})

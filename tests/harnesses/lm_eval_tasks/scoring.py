"""Functions of the tasks."""


def target(doc):
    """The right answer."""
    return str(doc["a"] + doc["b"])


def share(doc, replies):
    """The share of digits in the reply."""
    return {"share": sum(c in "0123456789" for c in replies[0]) / max(len(replies[0]), 1)}

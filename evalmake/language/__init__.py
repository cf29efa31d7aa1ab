"""The Evalfile language: text, tree, values, messages; knows nothing of evaluations."""

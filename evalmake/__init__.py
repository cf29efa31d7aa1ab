"""Make for evaluations of language models."""

"""Readers of the samples that NVIDIA's harnesses leave, one for each form; `reading` describes what they return."""

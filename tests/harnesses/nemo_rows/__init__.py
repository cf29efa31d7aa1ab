"""One real task of each of NVIDIA's harnesses, from its wheel."""

"""Public benchmarks whose harnesses are installed as wheels."""

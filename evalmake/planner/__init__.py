"""What must be done, and what came of it: pure functions and immutable data."""

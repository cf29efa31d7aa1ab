"""The graph, the plan and the decision what is stale: pure functions and immutable data."""

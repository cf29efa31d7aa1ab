"""The `ragas` harness: agents and retrieval, graded by upstream ragas."""

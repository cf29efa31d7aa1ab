"""Numbers from scores: intervals, averages over seeds, comparisons and gates."""

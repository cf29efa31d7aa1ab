"""The store of all results, the journal of running jobs, and their upkeep."""

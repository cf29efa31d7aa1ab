"""What executors with a queue of their own share."""

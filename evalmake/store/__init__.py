"""What has been done: content-addressed, append-only."""

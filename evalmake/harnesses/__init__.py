"""What a job runs, and how its output is read."""

"""What can be checked before anything starts: one ordered list that `evalmake -n` and a build both run."""

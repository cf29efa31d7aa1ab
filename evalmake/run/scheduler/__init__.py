"""The scheduler: queue and slots, the wait, the end of jobs, retries, Ctrl-C."""

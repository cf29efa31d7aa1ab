"""Programs that run next to a job, on its node: gateways of its own, and other jobs in its allocation."""

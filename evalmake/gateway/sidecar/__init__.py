"""Gateways that run next to a job, on its node; and jobs that share another's allocation."""

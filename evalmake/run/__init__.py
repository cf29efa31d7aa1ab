"""Runs a plan: jobs, gateways, environments and recovery."""

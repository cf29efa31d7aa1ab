"""Checks evidence offline, with no store, network or plugin: what holds, what does not, and what cannot be told."""

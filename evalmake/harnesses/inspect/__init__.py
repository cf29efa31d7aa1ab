"""The UK AISI's Inspect."""

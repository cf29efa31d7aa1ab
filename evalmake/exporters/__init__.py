"""How results are told: one exporter a module, each reached through its entry point."""

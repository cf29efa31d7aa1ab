"""What a plugin implements: one page each for executors, harnesses, engines and exporters."""

"""The scheduler: starts jobs while there are slots, waits for them, and records how each ends."""

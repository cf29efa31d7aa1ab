"""The Evalfile grammar, read by `evalmake.lang.parser`."""

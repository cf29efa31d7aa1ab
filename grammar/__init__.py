"""The Evalfile grammar, read by `evalmake.language.parser`."""

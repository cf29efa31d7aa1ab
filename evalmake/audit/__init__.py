"""The stories of results: all that the store knows of how a number came about, for `evalmake audit`."""

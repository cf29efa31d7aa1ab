"""What tags, branches and package sets mean now: the lock, and clients of registries and hubs."""

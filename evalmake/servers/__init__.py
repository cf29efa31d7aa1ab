"""Model servers and gateways of a build: each starts once, is probed, is shared, and is stopped."""

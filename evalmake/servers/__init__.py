"""Model servers and gateways of a build: started once, probed, shared, stopped."""

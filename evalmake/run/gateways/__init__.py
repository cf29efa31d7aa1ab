"""How a job reaches its models: through gateways on this host, or sidecars of its own."""

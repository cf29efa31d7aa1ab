"""How jobs reach their models: through gateways on this host, or through sidecars of their own."""

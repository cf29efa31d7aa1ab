"""How a deployment is served."""

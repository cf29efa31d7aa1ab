"""Every check that can be made before anything starts."""

"""What changes requests and replies, each in a module of its own."""

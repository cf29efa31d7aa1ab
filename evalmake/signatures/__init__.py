"""Keys and signatures: ed25519 key pairs in PEM, and DSSE envelopes."""

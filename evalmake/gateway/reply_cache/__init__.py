"""The cache of replies from models."""

"""NVIDIA's evaluation harnesses."""

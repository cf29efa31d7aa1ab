"""Translates the configurations and command lines of other programs into Evalfiles."""

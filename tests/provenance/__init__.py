"""Tests of what is collected when a build and an attempt run."""

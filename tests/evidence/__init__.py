"""Tests of the format of evidence."""

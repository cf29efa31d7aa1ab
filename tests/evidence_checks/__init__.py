"""Tests of the verification of evidence."""

"""Tests of the page of `html` reports."""

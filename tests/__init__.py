"""Tests; those that need a service start it themselves (`tests.support`)."""

"""Tests; those that need a service start it themselves (`tests.support`)."""

import pytest

pytest.register_assert_rewrite("tests.support")

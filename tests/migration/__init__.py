"""Tests of what `evalmake import` makes of other programs' configurations."""

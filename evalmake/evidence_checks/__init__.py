"""Checks of evidence: what an auditor does with a folder that `report { format = in-toto }` wrote."""

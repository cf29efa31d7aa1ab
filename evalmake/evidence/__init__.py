"""The format of evidence: what lies in its folder, how samples are committed to, and the statements that are signed."""

"""Collects from the store what a page shows beside scores: stories of evaluations, and samples."""

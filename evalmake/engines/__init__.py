"""Engines: how a deployment is served. One file for each engine; `model_server.py` has what most of them share."""

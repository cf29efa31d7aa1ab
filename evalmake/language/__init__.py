"""The Evalfile language: parser, values, diagnostics, formatter. It knows nothing of evaluations."""

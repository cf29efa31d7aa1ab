"""One request on its way from the harness to the model and back."""

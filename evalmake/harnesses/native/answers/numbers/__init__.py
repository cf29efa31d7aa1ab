"""Parts of the reading of a number: its forms, and what stands beside the one that is the answer."""

"""One page for each code of a diagnostic: what it means, an Evalfile that causes it, the same mended."""

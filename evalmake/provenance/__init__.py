"""What is known when a build and an attempt run: the code, the host, the packages. It is part of no identity."""

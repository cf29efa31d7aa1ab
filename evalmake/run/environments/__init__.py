"""Virtual environments for the packages that benchmarks and deployments name."""

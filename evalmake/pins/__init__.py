"""The lock file, and the clients that resolve tags and branches: container registries and the Hugging Face Hub."""

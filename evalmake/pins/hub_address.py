"""Where the Hugging Face Hub is."""

from __future__ import annotations

import os

_ENDPOINT = "https://huggingface.co"


def hub_address() -> str:
    """The address of the hub: $HF_ENDPOINT, or the public one."""
    return (os.environ.get("HF_ENDPOINT") or _ENDPOINT).rstrip("/")

"""Environment variables for harnesses that use Hugging Face's hub."""

from __future__ import annotations

_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE", "TRANSFORMERS_OFFLINE")


def build_hub_environment(offline: bool) -> dict[str, str]:
    """Turn telemetry off and, if `offline`, every request to the hub."""
    environment = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    return environment | (dict.fromkeys(_OFFLINE, "1") if offline else {})

"""The judge of one of NVIDIA's harnesses: how the harness is told of yours, and that it asks no other.

A task that has a judge of its own would ask it past the gateway: without cache, accounting, or a part in the identity.
So it is refused without `judge`. The harness asks yours at the address that it is told, or as Azure OpenAI.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from evalmake.language.diagnostic import Diagnostics
from evalmake.project.catalog import find_keys, requires_judge
from evalmake.project.declarations import Declaration
from evalmake.project.matrix import Evaluation

_JUDGE = """ \\
    --overrides "config.params.extra.judge.url=$EVALMAKE_JUDGE_URL{route},\\
config.params.extra.judge.model_id={name},\\
config.params.extra.judge.{key}=EVALMAKE_JUDGE_API_KEY"
"""
AZURE_JUDGE = """\
export AZURE_OPENAI_ENDPOINT="$EVALMAKE_JUDGE_URL" AZURE_OPENAI_API_KEY="$EVALMAKE_JUDGE_API_KEY" \\
    AZURE_OPENAI_DEPLOYMENT_NAME=gpt-4o OPENAI_API_VERSION=2024-10-21 \\
    OPENAI_API_BASE="$EVALMAKE_JUDGE_URL/chat/completions" OPENAI_API_KEY=sk-none \\
    OPENAI_TOKEN_URL="$EVALMAKE_JUDGE_URL" OPENAI_CLIENT_ID=none OPENAI_CLIENT_SECRET=none OPENAI_SCOPE=none
"""
"""VLMEvalKit gives its judge up unless OPENAI_API_KEY looks like a key. Both ask for a token at OPENAI_TOKEN_URL; there
is none, and then they take Azure's key. OPENAI_API_BASE leads nowhere else where somebody turned Azure off."""


class JudgeSettings(Protocol):
    """What a benchmark says of its judge."""

    extra: dict[str, Any] | None
    judge: str | None
    judge_route: str
    judge_key: str | None
    judge_name: str | None
    azure_judge: bool | None


def build_judge_arguments(benchmark: Declaration, settings: JudgeSettings) -> str:
    """Build the arguments that name the judge; empty without one, and where variables name it."""
    if not settings.judge or has_azure_judge(benchmark, settings):
        return ""
    key = settings.judge_key or "api_key"
    name = settings.judge_name or "$EVALMAKE_JUDGE_NAME"
    return _JUDGE.format(route=settings.judge_route, key=key, name=name).rstrip("\n")


def build_extra(settings: JudgeSettings) -> Mapping[str, Any]:
    """The harness's own parameters, with the judge on where there is one: NeMo Skills and tau2-bench have a switch."""
    extra = settings.extra or {}
    if not settings.judge:
        return extra
    judge = extra.get("judge")
    switches: dict[str, Any] = {"judge_support": True} if extra.get("judge_support") is False else {}
    if isinstance(judge, Mapping) and judge.get("enabled") is False:
        switches |= {"judge": {**judge, "enabled": True}}
    return {**extra, **switches}


def has_azure_judge(benchmark: Declaration, settings: JudgeSettings) -> bool:
    """Whether the harness asks its judge as Azure OpenAI."""
    told = settings.azure_judge
    return find_keys(benchmark.fields.values).get("azure_judge", False) is True if told is None else told


def check_judge(cell: Evaluation, settings: JudgeSettings, diagnostics: Diagnostics) -> None:
    """Check that a task which has a judge of its own has one of yours: its own would be asked past the gateway."""
    own = "" if settings.judge else _find_own_judge(cell.benchmark, settings)
    if own:
        name = cell.benchmark.name
        diagnostics.error(
            "missing-key",
            f"benchmark `{name}` needs `judge`: the harness would ask {own}, past the gateway",
            cell.benchmark.span,
            about=f"eval {cell.eval}",
            help=[*_suggest_model(settings), f"write `benchmark mine from {name} {{ judge = MODEL }}`"],
        )


def _find_own_judge(benchmark: Declaration, settings: JudgeSettings) -> str:
    """Whom a task asks to grade unless it is told of a judge; empty if it asks nobody."""
    if has_azure_judge(benchmark, settings):
        return "Azure OpenAI"
    extra = settings.extra or {}
    judge = _own_settings(settings)
    required = requires_judge(benchmark.fields.values)
    if not required and (judge.get("enabled") is False or extra.get("judge_support") is False):
        return ""
    address = str(judge.get("url") or judge.get("base_url") or "")
    return address or ("a judge of its own" if required else "")


def _own_settings(settings: JudgeSettings) -> Mapping[str, Any]:
    judge = (settings.extra or {}).get("judge")
    return judge if isinstance(judge, Mapping) else {}


def _suggest_model(settings: JudgeSettings) -> list[str]:
    """The declaration of the judge that the harness would ask by itself, if it has a name and an address."""
    judge = _own_settings(settings)
    address, name = str(judge.get("url") or ""), judge.get("model_id")
    if not address or not name:
        return []
    key = judge.get(settings.judge_key or "api_key")
    endpoint = address.removesuffix(settings.judge_route or "/chat/completions")
    secret = f', api_key = secret("{key}")' if key else ""
    return [f'its own would be `model judge {{ endpoint = "{endpoint}", name = "{name}"{secret} }}`']

"""The samples that lm-eval writes with `--log_samples`, one JSON line for each item and filter, as rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalmake.harnesses.samples import GatewayRequests, Row


def build_rows(
    task: str,
    kind: str,
    samples: Sequence[Mapping[str, Any]],
    requests: GatewayRequests,
    name_metric: Callable[[str, str], str],
) -> list[Row]:
    """Build one row for each item; lm-eval writes one for each item and filter. `kind` is its output type.

    `name_metric` gives the name of a metric under a filter.
    """
    rows: dict[int, Row] = {}
    for sample in samples:
        scores = {
            name_metric(metric, sample["filter"]): float(sample[metric])
            for metric in sample["metrics"]
            if isinstance(sample[metric], int | float) and math.isfinite(sample[metric])
        }
        if (row := rows.get(sample["doc_id"])) is None:
            row = _build_row(f"{task}/{sample['doc_id']}", kind, sample, requests)
        rows[sample["doc_id"]] = replace(row, scores={**row.scores, **scores})
    return list(rows.values())


def _build_row(id: str, kind: str, sample: Mapping[str, Any], requests: GatewayRequests) -> Row:
    """The row of an item, without its scores. Where likelihoods are compared, nothing was replied that could end."""
    sent, replies = list(sample["arguments"].values()), sample["resps"]
    prompts = [_prompt_text(one) for one in sent]
    generates = kind == "generate_until"
    if generates:
        prompts = [prompt for prompt, answers in zip(prompts, replies, strict=True) for _ in answers]
    used = requests.match(prompts)
    if not generates:
        used.pop("finish_reason", None)
    reply = str(replies[0][0]) if generates else _likeliest_option(sent, replies) if kind == "multiple_choice" else None
    return Row(id, sample["doc_hash"], {}, target=sample["target"], reply=reply, **used)


def _prompt_text(requests_sent: Mapping[str, Any]) -> str:
    """The text under which the gateway recorded the request."""
    prompt, more = requests_sent["arg_0"], requests_sent.get("arg_1")
    if isinstance(prompt, list):  # a chat, as JSON
        content = json.loads(prompt[0])[-1]["content"]
        return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return prompt + more if isinstance(more, str) else str(prompt)


def _likeliest_option(sent: Sequence[Mapping[str, Any]], replies: Sequence[Any]) -> str:
    """The text of the option with the greatest likelihood.

    Some metrics ask for each option without the question, too; these requests have an empty context. Of options that
    are contexts of one continuation (as Winogrande's), it is the context.
    """
    asked = [(one["arg_0"], one["arg_1"], float(answers[0][0])) for one, answers in zip(sent, replies, strict=True)]
    options = [option for option in asked if option[0]] or asked
    context, continuation, _ = max(options, key=lambda option: option[2])
    is_context = len(options) > 1 and len({option[1] for option in options}) == 1
    return str(context if is_context else continuation).strip()

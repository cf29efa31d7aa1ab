"""Reads ifbench's eval_results_strict.jsonl and eval_results_loose.jsonl, a line for each prompt.

{"follow_all_instructions": true, "follow_instruction_list": [true], "instruction_id_list": ["count:..."],
"prompt": ..., "response": ...}. Prompts of both files are in the same order.
"""

from __future__ import annotations

from pathlib import Path

from evalmake.harnesses.nemo.readers.reading import Reading, find_only, hash_content, read_json_lines
from evalmake.harnesses.samples import GatewayRequests, Row


def read(folder: Path, requests: GatewayRequests) -> Reading | None:
    """The prompts, each with whether its reply follows all of its instructions.

    Scores by instruction are no means over prompts, and have no rows.
    """
    files = {mode: find_only(folder, f"**/eval_results_{mode}.jsonl") for mode in ("strict", "loose")}
    if None in files.values():
        return None
    modes = {mode: list(read_json_lines(path)) for mode, path in files.items() if path}
    rows = []
    for number, found in enumerate(zip(*modes.values(), strict=True)):
        first = found[0]
        if any(one["prompt"] != first["prompt"] for one in found):
            raise ValueError(f"prompt {number} of eval_results_strict.jsonl is another one in eval_results_loose.jsonl")
        scores = {
            f"ifbench_{mode}:prompt-level_{mode}:prompt-level": float(one["follow_all_instructions"])
            for mode, one in zip(modes, found, strict=True)
        }
        content = hash_content(first["prompt"], first["instruction_id_list"])
        used = requests.match([first["prompt"]])
        target = first["instruction_id_list"]
        rows.append(Row(f"ifbench/{number}", content, scores, target=target, reply=first["response"], **used))
    return Reading(rows)

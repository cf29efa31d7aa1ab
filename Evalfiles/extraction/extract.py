"""Ask for a ticket's fields as JSON: is what comes back valid, and is it right?

From evalmake it has whom to ask and where to write, in variables; its data lie in ./data/.
It leaves samples.jsonl, one row for each ticket, so that reports can compare models ticket by
ticket, and scores.json, the mean of each metric.
"""

import hashlib
import json
import os
import urllib.request
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

OUT = Path(os.environ["EVALMAKE_OUT"])
PROMPT = "Answer with a JSON object of this schema, and nothing else:\n{schema}\n\nThe ticket:\n{text}"


class Ticket(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)
    customer: str
    product: Literal["pump", "filter", "valve"]
    urgent: bool


def ask(prompt: str) -> str:
    """The model's reply."""
    request = {
        "model": os.environ["EVALMAKE_MODEL_NAME"],
        "messages": [{"role": "user", "content": prompt}],
        "seed": int(os.environ["EVALMAKE_SEED"]),
        **json.loads(os.environ["EVALMAKE_PARAMS"]),
    }
    asked = urllib.request.Request(
        os.environ["EVALMAKE_MODEL_URL"] + "/chat/completions",
        json.dumps(request).encode(),
        {
            "Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"],
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(asked) as reply:
        return json.load(reply)["choices"][0]["message"]["content"] or ""


def score(reply: str, fields: dict) -> dict:
    """Whether a reply is of the schema, and whether it says what the ticket does."""
    try:
        found = Ticket.model_validate_json(reply)
    except ValidationError:
        return {"right": 0.0, "valid": 0.0}
    return {"right": float(found.model_dump() == fields), "valid": 1.0}


tickets = [json.loads(line) for line in Path("data/tickets.jsonl").read_text().splitlines()]
tickets = tickets[: int(os.environ["EVALMAKE_LIMIT"] or len(tickets))]
rows = []
for ticket in tickets:
    reply = ask(PROMPT.format(schema=json.dumps(Ticket.model_json_schema()), text=ticket["text"]))
    content = hashlib.sha256(json.dumps(ticket, sort_keys=True).encode()).hexdigest()
    scores = score(reply, ticket["fields"])
    rows.append(
        {
            "id": ticket["id"],
            "item": content,
            "scores": scores,
            "target": ticket["fields"],
            "reply": reply,
        }
    )
(OUT / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
means = {name: sum(row["scores"][name] for row in rows) / len(rows) for name in ("right", "valid")}
(OUT / "scores.json").write_text(json.dumps(means))

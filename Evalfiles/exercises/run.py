"""Ask the model for each function, run it against its tests, and write down which passed.

It runs in a folder of its own, with its files in ./data/.
What the model wrote runs as a process of its own, in the container that this runs in.
"""

import csv
import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path


def ask(prompt: str) -> str:
    """The model's reply: evalmake says whom to ask, and its gateway repeats what failed."""
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


def passes(reply: str, tests: str) -> bool:
    """Whether the last block of code, or a reply without one, passes its tests within ten seconds."""
    blocks = re.findall(r"```(?:python)?\n(.*?)```", reply, re.DOTALL)
    program = "\n".join([blocks[-1] if blocks else reply, tests])
    try:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


rows = [json.loads(line) for line in Path("data/questions.jsonl").read_text().splitlines()]
rows = rows[: int(os.environ["EVALMAKE_LIMIT"] or len(rows))]
with Path(os.environ["EVALMAKE_OUT"], "answers.csv").open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["id", "passed"])
    for row in rows:
        table.writerow([row["id"], int(passes(ask(row["prompt"]), row["tests"]))])

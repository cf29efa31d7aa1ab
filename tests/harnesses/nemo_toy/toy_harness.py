"""A harness as NVIDIA's contract knows them: asks sums, and writes its scores and samples."""

import argparse
import json
import os
import pathlib
import urllib.request


def main():
    """Ask, and raise what the endpoint raises."""
    parser = argparse.ArgumentParser()
    for name in ("--url", "--model", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--tries", type=int)
    parser.add_argument("--limit", type=int, default=20)
    options = parser.parse_args()
    given = pathlib.Path(os.environ["NEMO_EVALUATOR_DATASET_DIR"]) / "shift.json"
    shift = json.loads(given.read_text()) if given.exists() else 3
    rows = [ask(options, n, n + shift) for n in range(options.limit)]
    out = pathlib.Path(options.out)
    samples = out / "nemo-evaluator-per-sample-outputs"
    samples.mkdir()
    (samples / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    mean = sum(row["score"] for row in rows) / len(rows)
    stderr = (mean * (1 - mean) / (len(rows) - 1)) ** 0.5
    (out / "toy.json").write_text(json.dumps({"mean": mean, "count": len(rows), "stderr": stderr}))


def ask(options, one, other):
    """One sum as a sample in NVIDIA's normal form."""
    question = f"What is {one} + {other}?"
    body = {
        "model": options.model,
        "messages": [{"role": "user", "content": question}],
        "temperature": options.temperature,
    }
    headers = {
        "Authorization": f"Bearer {os.environ['API_KEY']}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(options.url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as reply:
        told = json.load(reply)
    answer = told["choices"][0]["message"]["content"]
    return {
        "id": str(one),
        "query": question,
        "ground_truth": str(one + other),
        "generation": answer,
        "score": int(answer == str(one + other)),
        "score_name": "correct",
        "num_prompt_tokens": told["usage"]["prompt_tokens"],
        "num_generated_tokens": told["usage"]["completion_tokens"],
    }


if __name__ == "__main__":
    main()

"""Pictures that records name: inputs of the job and of the identity, by their contents."""

from __future__ import annotations

import json

import pytest

from tests.support.media import data_url, png, wav
from tests.support.workspaces import Bench

EVALFILE = """\
deployment d { engine = mock }
model m {
    deployment = d
    api        = vlm
}
benchmark seen {
    harness = native
    files   = file("data/rows.jsonl")
    prompt  = "{question}"
    image   = "pics/{picture}.png"
    target  = "{answer}"
    scorer  = number
}
eval e {
    model     = m
    benchmark = seen
}
"""
ROWS = [{"question": f"What is {n} + 1?", "picture": n, "answer": n + 1} for n in range(3)]


@pytest.fixture
def seen(bench: Bench) -> Bench:
    """A project whose records name pictures."""
    bench.evalfile(EVALFILE)
    write_rows(bench, ROWS)
    (bench.root / "data" / "pics").mkdir()
    for number in range(3):
        (bench.root / "data" / "pics" / f"{number}.png").write_bytes(png(number))
    return bench


def write_rows(bench: Bench, rows: list[dict[str, object]]) -> None:
    """Write the data."""
    (bench.root / "data").mkdir(exist_ok=True)
    (bench.root / "data" / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_changed_picture_runs_again(seen: Bench) -> None:
    """The contents of pictures count, and `why` names the one that changed; other files do not."""
    done = seen.run()
    assert done.status == 0, done.text
    assert seen.scores() == {"e": [1.0]}
    (seen.root / "data" / "pics" / "9.png").write_bytes(png(9))
    assert "up to date" in seen.run().text
    (seen.root / "data" / "pics" / "1.png").write_bytes(png(100))
    told = seen.run("why", "e")
    assert "named_files[pics/1.png].sha256" in told.text
    done = seen.run()
    assert len(seen.attempts()) == 2, done.text
    assert "up to date" in seen.run().text


def test_pictures_may_move_with_the_data(seen: Bench) -> None:
    """Neither the place of the data nor its name counts."""
    assert seen.run().status == 0
    (seen.root / "data").rename(seen.root / "elsewhere")
    (seen.root / "elsewhere" / "rows.jsonl").rename(seen.root / "elsewhere" / "questions.jsonl")
    seen.edit("data/rows.jsonl", "elsewhere/questions.jsonl")
    assert "up to date" in seen.run().text


def test_a_picture_that_comes_and_goes(seen: Bench) -> None:
    """A missing picture is an error of every build, also after one with nothing to do; then all is as before."""
    assert seen.run().status == 0
    assert "up to date" in seen.run().text
    picture = seen.root / "data" / "pics" / "1.png"
    picture.unlink()
    told = seen.run()
    assert told.status == 2
    assert "data/rows.jsonl:2: the image 'data/pics/1.png' cannot be read: No such file or directory" in told.text
    picture.write_bytes(png(1))
    assert "up to date" in seen.run().text


def test_swapped_pictures_run_again(seen: Bench) -> None:
    """The same contents under other names are other questions."""
    assert seen.run().status == 0
    pics = seen.root / "data" / "pics"
    (pics / "1.png").write_bytes(png(2))
    (pics / "2.png").write_bytes(png(1))
    assert "up to date" not in seen.run("-n").text


def test_conversations_with_pictures_of_several_files(bench: Bench) -> None:
    """Two files of data name different pictures by one name, in messages; each record gets its own."""
    bench.evalfile(
        EVALFILE.replace('file("data/rows.jsonl")', 'glob("data/*/rows.jsonl")')
        .replace('    prompt  = "{question}"\n    image   = "pics/{picture}.png"\n', '    messages = "{messages}"\n')
        .replace("scorer  = number", 'scorer  = python\n    scorer_file = file("score.py")')
    )
    (bench.root / "score.py").write_text(
        "def score(record, text, target, reply):\n    return float(reply.tokens_in > 0)\n"
    )
    for name in ("a", "b"):
        folder = bench.root / "data" / name
        folder.mkdir(parents=True)
        (folder / "cat.png").write_bytes(png(ord(name)))
        (folder / "clip.wav").write_bytes(wav(ord(name)))
        parts = [
            {"type": "image_url", "image_url": {"url": "cat.png"}},
            {"type": "image_url", "image_url": {"url": data_url("image/png", png())}},
            {"type": "input_audio", "input_audio": {"data": "clip.wav"}},
            {"type": "text", "text": "What is 1 + 1?"},
        ]
        row = {"messages": [{"role": "user", "content": parts}], "answer": name}
        (folder / "rows.jsonl").write_text(json.dumps(row))
    done = bench.run()
    assert done.status == 0, done.text
    [attempt] = bench.attempts()
    urls = [sample["request"]["messages"][0]["content"][0]["image_url"]["url"] for sample in bench.samples(attempt)]
    assert len(set(urls)) == 2
    assert all(url.startswith("media/") and url.endswith(".png") for url in urls)
    (bench.root / "data" / "b" / "cat.png").write_bytes(png(7))
    told = bench.run("why", "e")
    assert "named_files.b/rows.jsonl[cat.png].sha256" in told.text


def test_calls_that_a_scorer_reads_are_no_surprise(bench: Bench) -> None:
    """A note on replies that call tools is for scorers of texts."""
    tools = '[{ type = "function", function = { name = "stop" } }]'
    bench.evalfile(
        EVALFILE.replace('    image   = "pics/{picture}.png"\n', f"    tools = {tools}\n").replace(
            "harness = native", 'harness = native\n    params = { tool_choice = "required" }'
        )
    )
    write_rows(bench, ROWS)
    assert "3 of 3 replies call a tool where text was expected" in bench.run().text
    (bench.root / "score.py").write_text(
        "def score(record, text, target, reply):\n    return float(reply.tool_calls[0].name == 'stop')\n"
    )
    bench.edit("scorer  = number", 'scorer  = python\n    scorer_file = file("score.py")')
    done = bench.run()
    assert bench.scores() == {"e": [1.0]}
    assert "call a tool" not in done.text

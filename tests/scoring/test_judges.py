"""A judge's identity counts, its name does not."""

from __future__ import annotations

from pathlib import Path

from evalmake.workspace import Workspace

EVALFILE = """
model m { endpoint = "http://127.0.0.1:9/v1", name = "m" }
model NAME { endpoint = "http://127.0.0.1:9/v1", name = "j" }
benchmark b {
    harness = native
    files   = file("d.jsonl")
    prompt  = "{q}"
    target  = "{t}"
    scorer  = judge
    judge   = NAME
    rubric  = "{reply} {target}"
}
eval e { model = m, benchmark = b }
"""


def test_a_judge_may_be_named_like_a_setting(tmp_path: Path) -> None:
    """Renaming a judge moves no action, also when its name is that of a scorer."""
    (tmp_path / "d.jsonl").write_text('{"q": "1 + 1?", "t": "2"}\n')
    digests = set()
    for name in ("judge", "grader"):
        (tmp_path / "Evalfile").write_text(EVALFILE.replace("NAME", name))
        graph = Workspace.open(tmp_path / "Evalfile").graph(())
        digests.add(graph.nodes["e"].action.digest)
    assert len(digests) == 1

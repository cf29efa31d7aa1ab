"""`evalmake pin`: what names mean is found out once, written down, and moved on request only."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from tests.support.projects import Project
from tests.support.registries import INDEX, Asked, Registry, Reply, scripted

EVALFILE = """\
deployment served { engine = mock, image = "IMAGE", args = { skill = 1 } }
deployment plain  { engine = mock, args = { skill = 1 } }

model ours   { deployment = served, name = "ours" }
model theirs { deployment = plain, name = "theirs" }

benchmark b {
    harness = command
    run     = 'echo "{\\"accuracy\\": 1.0}" > "$EVALMAKE_OUT/scores.json"'
}

eval e {
    model in [ours, theirs]
    benchmark = b
}
"""
WEIGHTS = """\
deployment served { engine = mock, weights = "hf://acme/small@v2" }
model ours { deployment = served, name = "ours" }
benchmark b { harness = native, dataset = "hf://acme/mmlu", prompt = "{q}", target = "{a}" }
eval e { model = ours, benchmark = b }
"""
ONE, TWO = "1" * 40, "2" * 40
DIGEST = f"sha256:{sha256(b'{}').hexdigest()}"


def pins(project: Project, name: str = "Evalfile.lock") -> dict[str, dict[str, object]]:
    """The entries of the lock."""
    told: dict[str, dict[str, object]] = json.loads((project.root / name).read_text())["pins"]
    return told


@pytest.fixture
def tagged(project: Project, images: Registry, request: pytest.FixtureRequest) -> str:
    """An Evalfile whose one server runs an image that has been pushed; the image's name."""
    name = request.node.name.replace("_", "-").lower()
    images.image(f"{name}:1", "first")
    project.write("Evalfile", EVALFILE.replace("IMAGE", f"{images.host}/{name}:1"))
    return f"{images.host}/{name}:1"


def test_a_tag_is_pinned(project: Project, images: Registry, tagged: str) -> None:
    """The lock has the digest that the registry gives, the platform and the date; `pin` says so."""
    digest = images.image(tagged.partition("/")[2], "another")
    said = project.run("pin").stdout
    assert said == f"  + {tagged}   {digest[:19]}\n\nwrote Evalfile.lock\n"
    (entry,) = pins(project).values()
    assert list(pins(project)) == [tagged]
    assert entry["digest"] == digest
    assert entry["platforms"] == {"linux/amd64": digest}
    assert project.run("pin").stdout == "  = 1 unchanged\n"


def test_an_index_is_pinned_whole(project: Project, images: Registry) -> None:
    """Of an image for several platforms the index is pinned, and every platform's manifest noted."""
    amd = images.image("whole:amd", "x")
    arm = images.image("whole:arm", "x", ("linux", "arm64"))
    entries = [
        (amd, {"os": "linux", "architecture": "amd64"}),
        (arm, {"os": "linux", "architecture": "arm64", "variant": "v8"}),
        (amd, {"os": "unknown", "architecture": "unknown"}),
    ]
    index = images.index("whole:1", entries)
    project.write("Evalfile", EVALFILE.replace("IMAGE", f"{images.host}/whole:1"))
    project.run("pin")
    (entry,) = pins(project).values()
    assert entry["digest"] == index
    assert entry["platforms"] == {"linux/amd64": amd, "linux/arm64/v8": arm}


def test_the_lock_is_for_reading(project: Project, tagged: str) -> None:
    """It is sorted, a line for each fact, and ends in a newline: what changed is what differs."""
    project.run("pin")
    text = (project.root / "Evalfile.lock").read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_only_users_of_a_moved_pin_are_stale(project: Project, images: Registry, tagged: str) -> None:
    """A tag that moved changes nothing until its pin is moved, and then only what runs the image."""
    project.run("pin")
    project.run()
    images.image(tagged.partition("/")[2], "second")
    assert "nothing to run" in project.run("-n").stdout
    project.run("pin", "--update")
    said = project.run("-n").stdout
    assert "~ e/ours" in said
    assert "model.deployment.image" in said
    assert "= 1 up to date" in said


def test_a_pin_is_as_good_as_a_digest(project: Project, tagged: str) -> None:
    """Whoever writes the digest that a tag was pinned to has nothing to run."""
    project.run("pin")
    project.run()
    digest = pins(project)[tagged]["digest"]
    name = tagged.rpartition(":")[0]
    project.write("Evalfile", EVALFILE.replace("IMAGE", f"{name}@{digest}"))
    assert "nothing to run" in project.run("-n").stdout


def test_show_tells_of_the_lock(project: Project, tagged: str) -> None:
    """`show` has the digest that is used, with the place of the tag, and says whose it is."""
    project.run("pin")
    digest = pins(project)[tagged]["digest"]
    (line,) = [s for s in project.run("show", "served").stdout.splitlines() if "image" in s]
    assert str(digest) in line
    assert line.endswith("Evalfile:1, from Evalfile.lock")


def test_the_null_build_heeds_the_lock(project: Project) -> None:
    """What was remembered of a locked build is forgotten when its lock is gone, or is another."""

    def locked() -> int:
        """A process's status, as only a process remembers."""
        process = project.spawn("--locked", "-f", str(project.root / "Evalfile"))
        process.communicate()
        return process.returncode

    project.write("Evalfile", EVALFILE.replace('image = "IMAGE"', 'weights = "hf://acme/small@v2"'))
    with scripted(lambda asked: Reply(body={"sha": ONE})) as hub:
        project.run("pin", env={"HF_ENDPOINT": hub.url})
    assert [locked(), locked(), locked()] == [0, 0, 0]
    (project.root / "Evalfile.lock").rename(project.root / "kept")
    assert locked() == 2
    (project.root / "kept").rename(project.root / "Evalfile.lock")
    assert locked() == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 2, "pins": {}}',
        '{"version": 1, "pins": []}',
        '{"version": 1, "pins": {"a": "sha256:0"}}',
        '{"version": 1, "pins": {"a": {"digest": "sha256:0", "date": "2026-01-01"}}}',
        '{"version": 1, "pins": {"a": {"commit": "main", "date": "2026-01-01"}}}',
        '{"version": 1, "pins": {"a": {"packages": [1], "date": "2026-01-01"}}}',
        '{"version": 1, "pins": {"a": {"commit": "0123456", "date": 1}}}',
        '{"version": 1, "pins": {"a": {"commit": "0123456"}}}',
        '{"version": 1, "pins": {"a": {"commit": "0123456", "date": "2026-01-01", "x": 1}}}',
        '{"version": 1, "pins": {"a": {"date": "2026-01-01"}}}',
    ],
)
def test_a_lock_that_is_none(project: Project, text: str) -> None:
    """A lock in another form, or with an entry that pins nothing, is refused by all who read it."""
    project.write("Evalfile", EVALFILE)
    project.write("Evalfile.lock", text)
    for words in (["-n"], ["pin"]):
        assert "[bad-lock]" in project.run(*words, status=2).stderr
    assert (project.root / "Evalfile.lock").read_text() == text


def test_check_says_what_has_moved(project: Project, images: Registry, tagged: str) -> None:
    """`--check` writes nothing; its status is 1 for a tag that moved, and for one never pinned."""
    assert project.run("pin", "--check", status=1).stdout == f"  ! {tagged}   not pinned\n"
    assert not (project.root / "Evalfile.lock").exists()
    project.run("pin")
    before = pins(project)
    assert project.run("pin", "--check").stdout == "  = 1 unchanged\n"
    digest = images.image(tagged.partition("/")[2], "second")
    said = project.run("pin", "--check", status=1).stdout
    assert said == f"  ~ {tagged}   {str(before[tagged]['digest'])[:19]} -> {digest[:19]}\n"
    assert pins(project) == before


def test_a_check_reads_no_manifest(project: Project) -> None:
    """Whether a tag has moved is asked by HEAD alone, which registries do not count as a download."""

    def answer(asked: Asked) -> Reply:
        return Reply(body="{}", headers={"Content-Type": INDEX, "Docker-Content-Digest": DIGEST})

    with scripted(answer) as server:
        project.write("Evalfile", EVALFILE.replace("IMAGE", f"{server.host}/a:1"))
        project.run("pin")
        assert {asked.method for asked in server.asked} == {"HEAD", "GET"}
        server.asked.clear()
        project.run("pin", "--check")
        assert {asked.method for asked in server.asked} == {"HEAD"}


def test_update_moves_only_what_is_named(project: Project, images: Registry, tagged: str) -> None:
    """A pin moves when it is named, by a part or a pattern, and stays when another is."""
    other = tagged.replace(":1", "-other:1")
    images.image(other.partition("/")[2], "first")
    text = EVALFILE.replace("IMAGE", tagged)
    project.write(
        "Evalfile",
        text.replace("plain  { engine = mock", f'plain {{ engine = mock, image = "{other}"'),
    )
    project.run("pin")
    before = pins(project)
    for name in (tagged, other):
        images.image(name.partition("/")[2], "second")
    project.run("pin", "--update", "named-other")
    now = pins(project)
    assert now[tagged] == before[tagged]
    assert now[other] != before[other]
    project.run("pin", "--update", "*")
    assert pins(project)[tagged] != before[tagged]


def test_a_name_that_is_none(project: Project, tagged: str) -> None:
    """A name that nothing is like is an error, not nothing to do."""
    said = project.run("pin", "--update", "vlm", status=2).stderr
    assert "nothing that can be pinned matches `vlm`" in said


def test_what_is_no_longer_named_is_dropped(project: Project, tagged: str) -> None:
    """`pin` without a name leaves in the lock only what the Evalfile names."""
    project.run("pin")
    project.write("Evalfile", EVALFILE.replace('image = "IMAGE", ', ""))
    assert f"  - {tagged}   no longer named" in project.run("pin").stdout
    assert pins(project) == {}
    assert project.run("pin").stdout == "nothing to pin\n"


def test_as_json(project: Project, tagged: str) -> None:
    """`--json` gives an object a line: the name, what became of it, and what it meant."""
    (told,) = map(json.loads, project.run("pin", "--json").stdout.splitlines())
    digest = pins(project)[tagged]["digest"]
    assert told == {"name": tagged, "change": "pinned", "before": None, "now": digest}


def test_locked_demands_a_pin(project: Project, tagged: str) -> None:
    """`--locked` names what is not in the lock, also in a dry run, and is content after `pin`."""
    for flags in ([], ["-n"]):
        said = project.run("--locked", *flags, status=2).stderr
        assert f"the image `{tagged}` is not in Evalfile.lock [not-locked]" in said
    project.run("--locked", "e/theirs")
    project.run("pin")
    project.run("--locked")


def test_a_dry_run_names_the_unpinned(project: Project, tagged: str) -> None:
    """`-n` says in one line what is unpinned, without asking anyone, and nothing once it is not."""
    line = f"unpinned: {tagged}; `evalmake pin` locks them"
    assert project.run("-n").stdout.splitlines()[-1] == line
    project.run("pin")
    assert "unpinned" not in project.run("-n").stdout


def test_what_must_be_pinned_can_be(project: Project, tagged: str) -> None:
    """`settings { pinned }` fails a build of what is unpinned, not the command that pins it."""
    project.write("Evalfile", "settings { pinned = [images] }\n" + EVALFILE.replace("IMAGE", tagged))
    assert "[unpinned-input]" in project.run("-n", status=2).stderr
    project.run("pin")
    project.run("-n")


def test_a_variable_may_name_the_tag(project: Project, images: Registry, tagged: str) -> None:
    """An override pins what it leads to, and keeps what the Evalfile's own value does."""
    images.image(tagged.partition("/")[2].replace(":1", ":2"), "second")
    stem = tagged.rpartition(":")[0]
    project.write("Evalfile", "TAG = 1\n" + EVALFILE.replace("IMAGE", f"{stem}:${{TAG}}"))
    project.run("pin")
    project.run("pin", "TAG=2")
    assert set(pins(project)) == {f"{stem}:1", f"{stem}:2"}


def test_one_failure_is_not_all(project: Project, images: Registry, tagged: str) -> None:
    """What cannot be resolved is said, with its place; the rest is pinned all the same."""
    text = EVALFILE.replace("IMAGE", tagged)
    project.write(
        "Evalfile",
        text.replace("plain  { engine = mock", f'plain {{ engine = mock, image = "{tagged}9"'),
    )
    result = project.run("pin", status=2)
    assert f"  + {tagged}" in result.stdout
    assert list(pins(project)) == [tagged]
    assert f"the image `{tagged}9` cannot be resolved: {images.host} has no" in result.stderr
    assert "Evalfile:2:" in result.stderr


def test_revisions_are_commits(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Branches and tags of weights and datasets are pinned to commits, which evaluations rest on."""
    commits = {
        "/api/models/acme/small/revision/v2": ONE,
        "/api/datasets/acme/mmlu/revision/main": TWO,
    }
    project.write("Evalfile", WEIGHTS)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with scripted(lambda asked: Reply(body={"sha": commits[asked.path]})) as hub:
        project.run("pin", env={"HF_ENDPOINT": hub.url})
    assert {asked.headers["Authorization"] for asked in hub.asked} == {"Bearer hf_secret"}
    found = {name: pin["commit"] for name, pin in pins(project).items()}
    assert found == {"hf://acme/small@v2": ONE, "hf://acme/mmlu": TWO}
    plan = project.run("-n", "--json").stdout
    project.write("Evalfile", WEIGHTS.replace("@v2", f"@{ONE}").replace("mmlu", f"mmlu@{TWO}"))
    assert json.loads(project.run("-n", "--json").stdout)["digest"] == json.loads(plan)["digest"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(404), "has no `acme/small@v2`"),
        (Reply(401), "denies access"),
        (Reply(403), "denies access"),
        (Reply(429, headers={"Retry-After": "7"}), "got too many requests"),
        (Reply(500), "answers with status 500"),
        (Reply(body="<html>"), "sent no commit for acme/small"),
        (Reply(body={"sha": "main"}), "sent no commit for acme/small"),
        (Reply(body=[1]), "sent no commit for acme/small"),
    ],
)
def test_a_hub_that_does_not_say(project: Project, reply: Reply, why: str) -> None:
    """Whatever the hub answers instead of a commit is told as the reason, and nothing is pinned."""
    project.write("Evalfile", WEIGHTS)

    def answer(asked: Asked) -> Reply:
        return reply

    with scripted(answer) as hub:
        said = project.run("pin", "small", env={"HF_ENDPOINT": hub.url}, status=2).stderr
    assert why in said
    assert "[pin-failed]" in said
    assert not (project.root / "Evalfile.lock").exists()

"""A job that means harm, as root in its container: it changes nothing outside, and finds no key."""

from __future__ import annotations

import json

import pytest

from tests.executors.docker.contained import SCORED, Contained
from tests.support.http_replies import chat_completion, http_reply
from tests.support.scripted_upstream import Upstream

KEY = "sk-0123456789-only-the-gateway-has-it"
SEEKING = """\
import glob, stat, subprocess

told = json.load(open("/shared/told.json"))
key = told["yek"][::-1].encode()

def done(act, *words):
    try:
        act(*words)
        return True
    except OSError:
        return False

def write(path):
    with open(path, "a") as file:
        file.write("mark")

def place(path):
    os.makedirs(path, exist_ok=True)
    write(path + "/mark")

def device():
    [root] = [line.split() for line in open("/proc/self/mountinfo") if " /shared " in line]
    major, minor = map(int, root[2].split(":"))
    os.mknod("/evalmake/disk", 0o600 | stat.S_IFBLK, os.makedev(major, minor))
    open("/evalmake/disk", "rb").read(1)

def has(path):
    try:
        with open(path, "rb") as file:
            return key in file.read()
    except OSError:
        return False

def replied(path):
    head = {"Authorization": "Bearer " + os.environ["EVALMAKE_API_KEY"]}
    url = os.environ["EVALMAKE_MODEL_URL"].removesuffix("/v1") + path
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=head), timeout=20) as reply:
            return str(reply.headers).encode() + reply.read()
    except urllib.error.HTTPError as error:
        return str(error.headers).encode() + error.read()

def files():
    for folder, folders, names in os.walk("/"):
        folders[:] = [n for n in folders if folder != "/" or n not in ("proc", "sys", "dev", "usr")]
        yield from (path for n in names if os.path.isfile(path := folder + "/" + n))

open("/tmp/decoy", "wb").write(key)  # what looks for the key does find it
decoy = subprocess.Popen(["sleep", "600"], env={"DECOY": key.decode()})

changed = {
    "mount": done(write, "/shared/mark"),
    "remounted": not subprocess.run(["mount", "-o", "remount,rw,bind", "/shared"]).returncode,
    "device": done(device),
    "kernel": any(done(open, f"/proc/{name}", "a") for name in ("sysrq-trigger", "sys/kernel/core_pattern")),
    "limits": any(done(open, path, "a") for path in glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True)),
    "others": any(map(os.path.exists, told["others"])),
}
for path in told["places"]:
    place(path)  # which is in the container
processes = [path for name in ("environ", "cmdline") for path in glob.glob(f"/proc/[0-9]*/{name}")]
asked = ("/", "/v1", "/v1/models", "/stats", "/metrics", "/debug", "/v1/../../proc/self/environ")
found = {
    "files": [path for path in files() if has(path) and path != "/tmp/decoy"],
    "processes": [path for path in processes if has(path) and path != f"/proc/{decoy.pid}/environ"],
    "gateway": [path for path in asked if key in replied(path)],
    "blind": [name for name in ("/tmp/decoy", f"/proc/{decoy.pid}/environ") if not has(name)],
}
decoy.kill()
leave("seen.json", {"changed": changed, "found": found})
"""


@pytest.mark.parametrize("network", ["open", "gateway"])
def test_harm(contained: Contained, network: str) -> None:
    """A hostile job can neither read nor write anything of the host or of another job, on either network."""
    upstream = Upstream(lambda seen: [http_reply(chat_completion("you said hello"))])
    contained.asks(
        SEEKING + SCORED,
        more=f"network = {network}",
        model=f'endpoint = "{upstream.url}", name = "m", api_key = secret("KEY")',
        eval="seed in 1..2",
    )
    contained.edit(":/shared:rw", ":/shared")
    engine, work = contained.engine.url.removeprefix("unix://"), contained.root / ".evalmake"
    told = {
        "yek": KEY[::-1],
        "others": [engine, "/var/run/docker.sock", str(contained.root)],
        "places": [str(work), str(contained.root.parent / "new")],
    }
    (contained.shared / "told.json").write_text(json.dumps(told))
    contained.forks = False
    ended = contained.run(env={"KEY": KEY})

    assert ended.status == 0, ended.text
    assert contained.scores() == {"asked/1": [1.0], "asked/2": [1.0]}
    for attempt in contained.attempts():
        names = {output.name for output in attempt.outputs if "/" not in output.name}
        assert names == {"log", "scores.json", "seen.json"}
        seen = json.loads(contained.output(attempt, "seen.json"))
        assert not any(seen["changed"].values()), seen
        assert not any(seen["found"].values()), seen
    assert [path for path in contained.root.parent.rglob("*") if path.name in ("mark", "new")] == []
    contained.clean()

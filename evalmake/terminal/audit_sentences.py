"""The story of a result in plain sentences, section by section. What a record does not hold is said to be unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from evalmake.audit.outputs import find, find_counts, find_list, find_map, find_text
from evalmake.audit.parameters import ParameterStory, describe_declared, list_asked_models
from evalmake.audit.story import AuditStory, TriedAttempt
from evalmake.language.plural import count_of
from evalmake.planner.digest import BEHAVIOURS, describe_text, is_container_size
from evalmake.scoring.numbers import format_interval, format_number, format_percent
from evalmake.store.origin import BENCHMARK, MODEL
from evalmake.terminal.audit_events import describe_changes
from evalmake.terminal.plan import render_duration, render_reasons

_MOST_SETTINGS = 12  # of a benchmark or a model, in one sentence
_MOST_NAMES = 5
_MOST_FILES = 3
_TOLD_ELSEWHERE = ("unscored", "undeclared", "models", "fingerprints", "no-requests")
"""Codes of notes that the sentences here tell, with more."""
_VERDICTS = {True: "is met", False: "is NOT met", None: "is NOT judged"}


def describe_number(story: AuditStory) -> Iterator[str]:
    """The score, and whether it counts."""
    score = story.headline
    if score is not None:
        value = "not scored" if score.value is None else format_number(score.value)
        interval = ""
        if score.low is not None and score.high is not None:
            interval = (
                f", with the {format_percent(story.confidence)} interval {format_interval(score.low, score.high)}"
            )
        yield f"The number is {score.metric} {value}{interval}."
        if others := [one for one in story.scores if one.metric != score.metric]:
            values = (f"{one.metric} {'-' if one.value is None else format_number(one.value)}" for one in others)
            yield f"Other metrics: {_list(values)}."
    elif story.counted is not None:
        yield "There is a result without a number: its headline metric was not reported."
    yield _describe_standing(story)
    yield from (f"Take care: {doubt}." for doubt in story.doubts)


def _describe_standing(story: AuditStory) -> str:
    """Whether the result counts, and why not."""
    counted, why = story.counted, render_reasons(story.reasons) if story.reasons else ""
    if counted is None:
        if not story.attempts:
            return "It never ran, so there is no number."
        return f"It has no number: none of its {count_of(len(story.attempts), 'attempt')} succeeded."
    if not story.is_of_this_definition:
        changed = describe_changes(story.since) or "nothing that the store can still tell"
        failed = f" What it says now {why}." if story.reasons[:1] and story.reasons[0].kind == "failed" else ""
        told = "It does NOT count for what the Evalfile says now, as it is of an earlier definition."
        return f"{told} Changed since: {changed}.{failed}"
    if why:
        return f"It does NOT count now: {why}."
    if counted.accepted_because is None:
        return "It counts: it is of what the Evalfile says now."
    if story.made is not None and story.made.record.action == story.action:
        return "It counts: it is of what the Evalfile says now. Somebody gave up a rerun of it, as told below."
    return (
        "It counts, although it is NOT of what the Evalfile says now: somebody accepted it, as told below."
        " What follows is of the definition that made it."
    )


def describe_question(story: AuditStory) -> Iterator[str]:
    """What was asked: benchmark, data, settings and request parameters."""
    cell, benchmark = (story.identity.get(part, {}) for part in ("", "benchmark"))
    if not cell or not benchmark:
        yield "What was asked is not known: the store has lost a part of the definition."
        return
    name = story.made.record.facts.get(BENCHMARK, "") if story.made else ""
    limit, seed = describe_text(cell.get("limit")), describe_text(cell.get("seed"))
    amount = "without a limit" if limit in ("none", "(none)") else f"with a limit of {limit}"
    harness = _describe_plugin(benchmark.get("harness"))
    yield f"The benchmark{f' {name}' if name else ''}, by the harness {harness}, {amount} and with the seed {seed}."
    if files := _find_digests(benchmark):
        yield f"Its data and files: {_list(files, _MOST_FILES)}."
    if settings := _list_settings(benchmark, ("harness",)):
        yield f"Its settings: {settings}."
    if settings := _list_settings(cell, ("seed", "limit", "params")):
        yield f"The eval's settings: {settings}."
    yield from _describe_parameters(story)


def _describe_parameters(story: AuditStory) -> Iterator[str]:
    """Request parameters: as declared, and as they were sent where that is not the same."""
    declared = describe_declared(story.identity)
    if declared:
        yield f"Declared request parameters: {_list((f'{name} {value}' for name, value in declared.items()), 20)}."
    else:
        yield "The Evalfile declares no request parameters."
    if story.counted is None or story.asked_nobody:
        return
    if story.parameters is None:
        yield from _describe_contradictions(story)
        return
    if not any(one.sent for one in story.parameters):
        yield "No request with parameters was sent."
        return
    same = [one.name for one in story.parameters if not one.differs and one.declared]
    if same:
        yield f"Sent as declared: {', '.join(same)}."
    for one in story.parameters:
        if one.differs:
            yield _describe_difference(one)


def _describe_difference(one: ParameterStory) -> str:
    values = _list_counted(one.sent, "request", 3)
    if not one.declared:
        return f"Sent, though the Evalfile does not declare it: {one.name} {values}."
    declared = " or ".join(one.declared)
    return f"NOT sent as declared: {one.name} is {declared} in the Evalfile, and {values or 'was in no request'}."


def _describe_contradictions(story: AuditStory) -> Iterator[str]:
    """What gateways of earlier versions noted: only the values that contradict the declared ones."""
    usage = story.usage.get("model")
    if usage is None:
        yield f"What was sent is {_describe_absence(story)}."
        return
    found = [
        f"{name} {_list_counted(find_counts(usage, kind, name), 'request', 3)}"
        for kind in ("undeclared", "added")
        for name in find_map(usage, kind)
    ]
    told = f"Sent otherwise than declared: {_list(found)}." if found else "The gateway noted no contradiction to them."
    yield f"{told} All that was sent is {_describe_absence(story)}."


def describe_model(story: AuditStory) -> Iterator[str]:
    """Who answered."""
    model = story.identity.get("model", {})
    facts = story.made.record.facts if story.made else {}
    if story.asks_no_model:
        yield "No model was asked: the answers are in the data."
        yield from _describe_judge(story)
        return
    if model:
        api = describe_text(model.get("api"))
        where = describe_text(model["endpoint"]) if "endpoint" in model else ""
        engine = _describe_plugin(model.get("deployment.engine"))
        place = f"at {where}" if where else f"served by the engine {engine}"
        called = f", called {describe_text(model['name'])} there" if "name" in model else ""
        name = f" {facts[MODEL]}" if MODEL in facts else ""
        yield f"The model{name}: {place}{called}, asked by the {api} API."
        if settings := _list_settings(model, ("api", "endpoint", "name", "deployment.engine")):
            yield f"Its settings: {settings}."
        if files := _find_digests(model):
            yield f"Its files: {_list(files, _MOST_FILES)}."
    else:
        yield "Which model was asked is not known: the store has lost that part of the definition."
    if story.counted is not None:
        yield from _describe_images(story.made or story.counted)
        yield from _describe_answers(story)


def _describe_images(counted: TriedAttempt) -> Iterator[str]:
    for owner, facts in find_map(counted.own, "images").items():
        told = ", ".join(f"{key} {value}" for key, value in facts.items()) if isinstance(facts, Mapping) else str(facts)
        yield f"The image of {owner or 'the job'} when it ran: {told}."


def _describe_answers(story: AuditStory) -> Iterator[str]:
    usage = story.usage.get("model")
    if story.asked_nobody:
        yield "No model answered: no request reached the gateway."
        return
    if story.replies_of:
        action, _, attempt = story.replies_of.rpartition("/")
        yield f"It scored stored replies again and asked for none: attempt {attempt} of {action} asked for them."
        return
    if usage is None:
        yield f"Which model answered is {_describe_absence(story)}."
        return
    models, prints = find_counts(usage, "models"), find_counts(usage, "fingerprints")
    if asked := list_asked_models(usage):
        yield f"Requests asked for the model {_list(asked, _MOST_NAMES)}."
    told = f"Replies named the model {_list_counted(models, 'reply')}" if models else "No reply named a model"
    mark = f"the system fingerprint {_list_counted(prints, 'reply')}" if prints else "no system fingerprint"
    yield f"{told}, and {mark}."
    yield from _describe_judge(story)


def _describe_judge(story: AuditStory) -> Iterator[str]:
    if (judge := story.usage.get("judge")) is not None:
        names = _list(find_counts(judge, "models")) or "no model"
        yield f"The judge answered {count_of(_number(judge, 'requests'), 'request')}; its replies named {names}."
    if (embedder := story.usage.get("embedder")) is not None:
        names = _list(find_counts(embedder, "models")) or "no model"
        yield f"The embedder answered {count_of(_number(embedder, 'requests'), 'request')}; its replies named {names}."


def describe_run(story: AuditStory) -> Iterator[str]:
    """When, by whom, where, how often was asked, and what has no score."""
    counted = story.made or story.counted
    if counted is None:
        return
    record = counted.record
    backend = find_text(counted.own, "executor", "backend")
    place = f"the executor {record.executor}{f' ({backend})' if backend else ''}"
    (day, began), (last, ended) = (show_moment(text).split(" ") for text in (record.started, record.finished))
    until = ended if last == day else f"{ended} on {last}"
    yield f"It ran on {place}, on {day} from {began} to {until} UTC; that took {render_duration(record.seconds)}."
    user, host = _find_starter(counted)
    who = f"by {user}{f' on {host}' if host else ''}{_describe_machine(counted)}"
    yield f"It was started {who}." if user else f"Who started it is {_describe_absence(story)}."
    if placement := find_map(counted.own, "placement"):
        yield f"It asked for {_list(f'{value} {key}' for key, value in placement.items())}."
    yield from _describe_requests(story)
    yield from _describe_samples(story)
    if packages := find_list(counted.own, "packages"):
        yield f"It used {count_of(len(packages), 'installed package')}; `--format json` lists them with their hashes."
    yield from (f"Note on the number: {note.text}." for note in story.notes if note.code not in _TOLD_ELSEWHERE)


def _find_starter(counted: TriedAttempt) -> tuple[str, str]:
    """Who ran it, and where. The record of an acceptance names who accepted it, and not who ran it."""
    if user := find_text(counted.build, "user"):
        return user, find_text(counted.build, "host", "name")
    return (counted.maker or ("", "")) if counted.accepted_because is None else ("", "")


def _describe_machine(counted: TriedAttempt) -> str:
    host = find(counted.build, "host")
    system, machine, cpu, cores = (find_text(host, key) for key in ("system", "machine", "cpu", "cores"))
    memory = find(host, "memory")
    parts = [system, machine, f"{cores} cores" if cores else "", cpu]
    parts += [f"{memory / 2**30:.0f} GiB of memory"] if isinstance(memory, int) and memory else []
    return f" ({', '.join(filter(None, parts))})" if any(parts) else ""


def _describe_requests(story: AuditStory) -> Iterator[str]:
    usage = story.usage.get("model")
    if story.asked_nobody:
        return
    if usage is None:
        yield f"How many requests were sent is {_describe_absence(story)}."
        return
    total, cached = _number(usage, "requests"), _number(usage, "cached")
    again = _number(usage, "retried") or _number(usage, "retries")
    statuses = {status: n for status, n in find_counts(usage, "statuses").items() if not status.startswith("2")}
    failed = sum(statuses.values()) or _number(usage, "failed")
    listed = f" (HTTP status {_list(f'{status}: {n}' for status, n in statuses.items())})" if statuses else ""
    asked = f"{total - cached} asked of the model, {cached or 'none'} answered from the reply cache"
    ending = f"{again or 'none'} sent again; {failed or 'none'} ended in an error{listed}"
    yield f"Requests: {total} in all, {asked}; {ending}."
    read, written = _number(usage, "tokens_in"), _number(usage, "tokens_out")
    if read or written:
        yield f"Tokens: {read:,} read by the model, {written:,} written."


def _describe_samples(story: AuditStory) -> Iterator[str]:
    score = story.headline
    if score is None or not score.scored + score.unscored:
        yield "How many samples were scored is not recorded: the harness did not count them."
    elif not score.unscored:
        yield (
            f"All {count_of(score.scored, 'sample')} were scored." if score.scored > 1 else "Its one sample was scored."
        )
    else:
        causes = _list((f"{text} ({count_of(count, 'sample')})" for text, count in story.causes), _MOST_NAMES)
        why = f": {causes}" if causes else "; why is not recorded"
        yield f"NOT scored: {score.unscored} of {score.scored + score.unscored} samples{why}."


def describe_gates(story: AuditStory) -> Iterator[str]:
    """What is required, and whether it is met."""
    for gate in story.gates:
        verdict, message = _VERDICTS[gate.met], gate.message.removeprefix("not judged: ")
        yield f"{gate.requirement} {verdict}: {message}."
    if not story.gates:
        yield "The Evalfile requires nothing of this number."


def describe_traces(story: AuditStory, plan: str) -> Iterator[str]:
    """What finds the result and its sources again."""
    counted = story.counted
    if counted is None:
        yield f"Action: {story.action}."
        return
    record, build = counted.record, counted.build
    yield f"Action: {record.action}, attempt {record.attempt}."
    yield f"Record: sha256:{counted.digest}."
    if story.made is not None and story.made is not counted:
        made = story.made.record
        yield f"It was made by the action {made.action}, attempt {made.attempt}."
        yield f"Its record: sha256:{story.made.digest}."
    if find(counted.own, "taken_over") is True:
        yield "Take care: an earlier build started the job, and was killed or detached; what follows is of a later one."
    if build is None:
        yield f"The Evalfile's digest, the plan, the git commit and evalmake's version are {_describe_absence(story)}."
        yield from (f"Take care: {damage}." for damage in counted.damage)
        return
    signers = ", ".join(map(str, find_list(build, "plan_signed_by")))
    same = " (it is the plan of these targets now, too)" if find_text(build, "plan") == plan else ""
    signed = f"signed by {signers}" if signers else "not signed"
    yield f"Plan: {_find_or_say(build, 'plan')}, {signed}{same}."
    files = [find(build, "evalfile"), *find_list(build, "includes"), find(build, "lock")]
    named = (f"{find_text(file, 'name')} sha256:{find_text(file, 'sha256')}" for file in files if file)
    yield f"Read: {_list(named, 10)}."
    if overrides := find_map(build, "overrides"):
        yield f"Overridden on the command line: {_list(f'{name}={value}' for name, value in overrides.items())}."
    yield _describe_repository(find(build, "git"))
    yield f"Made by evalmake {_find_or_say(build, 'evalmake')} with Python {_find_or_say(build, 'python')}."
    yield from (f"Take care: {damage}." for damage in counted.damage)


def _find_or_say(value: object, name: str) -> str:
    return find_text(value, name) or "(not recorded)"


def _describe_repository(git: object) -> str:
    if not isinstance(git, Mapping):
        return "Git: the Evalfile was in no git repository, or git could not be asked."
    where = f" on the branch {find_text(git, 'branch')}" if find_text(git, "branch") else ""
    remote = f" of {find_text(git, 'remote')}" if find_text(git, "remote") else ""
    dirty, difference, untracked = (git.get(key) for key in ("dirty", "difference", "untracked"))
    state = "whether files differed from it is not known"
    if dirty is False:
        state = "and no file differed from it"
    elif dirty is True:
        state = f"but files DIFFERED from it, by {difference}"
    extra = untracked if isinstance(untracked, int) else 0
    more = f"; {count_of(extra, 'file')} beside the Evalfile not in it" if extra else ""
    return f"Git: commit {find_text(git, 'commit')}{where}{remote}, {state}{more}."


def _describe_absence(story: AuditStory) -> str:
    """Why something is not known of the attempt that counts."""
    counted = story.counted
    if counted is not None and not counted.sealed:
        return "not recorded: evalmake 0.1 wrote this result"
    return "not recorded"


def _list_settings(pairs: Mapping[str, str], told: Sequence[str]) -> str:
    """The values of one part of a definition, without those that are told elsewhere and digests of files."""
    behaviours = {f"benchmark.{path}" for path in pairs if f"benchmark.{path}".startswith(BEHAVIOURS)}
    shown = [
        f"{path.removeprefix('deployment.')} {describe_text(text)}"
        if f"benchmark.{path}" not in behaviours
        else f"{path.partition('.')[2]} (behaviour {describe_text(text)})"
        for path, text in pairs.items()
        if path and not is_container_size(text) and not path.endswith(".sha256")
        if not any(path == name or path.startswith((f"{name}.", f"{name}[")) for name in told)
    ]
    return _list(shown, _MOST_SETTINGS)


def _find_digests(pairs: Mapping[str, str]) -> list[str]:
    """The files of one part of a definition, by their names or else their key, each with its digest in full."""
    files = {path.removesuffix(".sha256"): text for path, text in pairs.items() if path.endswith(".sha256")}
    names = {path: path.partition("[")[2].removesuffix("]") or f"one file ({path})" for path in files}
    return [f"{names[path]} sha256:{text}" for path, text in files.items()]


def _describe_plugin(text: str | None) -> str:
    name, _, behaviour = describe_text(text).partition("/")
    return f"{name} (behaviour {behaviour})" if behaviour else name


def _list(texts: Iterable[str], most: int = _MOST_SETTINGS) -> str:
    names = [*texts]
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _list_counted(counts: Mapping[str, int], noun: str, most: int = _MOST_NAMES) -> str:
    """`mocked (10 replies)`."""
    several = "replies" if noun == "reply" else ""
    return _list((f"{name} ({count_of(count, noun, several)})" for name, count in counts.items()), most)


def _number(usage: object, name: str) -> int:
    found = find(usage, name)
    return found if type(found) is int else 0


def show_moment(text: str) -> str:
    """A moment of a record, to the second."""
    return text[:19].replace("T", " ")

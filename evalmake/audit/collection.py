"""Collects stories from the store. It writes nothing, and tells what is damaged in place of failing by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from evalmake.audit.outputs import USAGES, OutputReader
from evalmake.audit.parameters import Pairs, describe_parameters
from evalmake.audit.story import Audit, AuditStory, GroupStory, TriedAttempt
from evalmake.gate_verdicts import judge_gates
from evalmake.language.diagnostic import EvalmakeError
from evalmake.language.plural import count_of
from evalmake.planner.action import Action, ActionResult
from evalmake.planner.digest import Change, Part
from evalmake.planner.graph import Graph, Node
from evalmake.planner.plan import Plan
from evalmake.planner.staleness import ActionHistory, find_part_changes, find_valid_records
from evalmake.planning import make_plan
from evalmake.provenance.attempt import ATTEMPT
from evalmake.provenance.build import BUILD
from evalmake.results import collect_results, make_item_reader
from evalmake.scoring.gates import GateResult
from evalmake.scoring.notes import Note
from evalmake.scoring.numbers import format_estimate
from evalmake.scoring.result_set import Result, ResultSet
from evalmake.scoring.sample_counts import SAMPLES, SampleCounts
from evalmake.scoring.score import Score
from evalmake.store.acceptance import ACCEPTED_AT, ACCEPTED_FROM
from evalmake.store.failure import DamagedOutput
from evalmake.store.origin import BENCHMARK, EVALFILE, MODEL
from evalmake.store.readable_attempts import read_attempts
from evalmake.store.records import is_sealed, parse_record_key
from evalmake.store.store import Store
from evalmake.workspace import Workspace


def collect_audit(workspace: Workspace, graph: Graph, store: Store, title: str) -> Audit:
    """The stories of all evaluations of a graph, those that only its reports show, too."""
    plan = make_plan(workspace, graph, store)
    nodes = {node.name: node for report in graph.reports.values() for node in report.nodes} | graph.nodes
    collector = _Collector(workspace, store, plan)
    return Audit(title, tuple(collector.tell_groups(list(nodes.values()))), plan.digest)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store has of one cell."""

    attempts: tuple[ActionResult, ...]  # in the order of time
    elsewhere: int  # attempts of a cell of this name in another Evalfile
    renamed: tuple[str, ...]  # cells that are no longer declared, of the same model and benchmark


class _Collector:
    """Collects the stories of several cells. Every record is read once."""

    def __init__(self, workspace: Workspace, store: Store, plan: Plan) -> None:
        self.workspace, self.store, self.plan = workspace, store, plan
        self.outputs = OutputReader(store)
        self.unjudged = ""
        records, self.damaged = read_attempts(store)
        self.declared = {cell.name for group in workspace.cells.values() for cell in group}
        self.by_name, self.by_action = (
            defaultdict[str, list[ActionResult]](list),
            defaultdict[str, list[ActionResult]](list),
        )
        self.undeclared = defaultdict[tuple[str | None, str | None], set[str]](set)
        for record in records:
            self.by_name[record.name].append(record)
            self.by_action[record.action].append(record)
            if record.name not in self.declared and self._is_here(record):
                self.undeclared[record.facts.get(MODEL), record.facts.get(BENCHMARK)].add(record.name)

    def tell_groups(self, nodes: Sequence[Node]) -> Iterable[GroupStory]:
        """The stories of cells that differ only in their seed, group by group."""
        heads = {node.name: self._find_head(node) for node in nodes}
        gates = self._judge(nodes)
        results = self._collect_results(nodes, heads)
        groups = defaultdict[str, list[Node]](list)
        for node in nodes:
            groups[node.evaluation.address].append(node)
        for address, members in groups.items():
            judged = tuple(gate for gate in gates if gate.concerns(address))
            found = [results.results[name] for name in map(_name, members) if name in results.results]
            stories = tuple(self._tell(node, heads[node.name], results, judged) for node in members)
            yield GroupStory(address, stories, *results.describe(found), judged)

    def _judge(self, nodes: Sequence[Node]) -> tuple[GateResult, ...]:
        """The gates of the groups."""
        try:
            judged = judge_gates(self.workspace, nodes, find_valid_records(nodes, self.store), self.store)
        except DamagedOutput as error:
            self.unjudged = f"requirements were not judged: {error.reason}"
            return ()
        return tuple(gate.result for gate in judged)

    def _find_head(self, node: Node) -> ActionHistory | None:
        """The history of the last success: of what the Evalfile says now, or else of an earlier definition."""
        head = self.store.history(node.action.digest)
        if head is not None and head.success is not None:
            return head
        done = [one for one in self._find(node).attempts if one.status == "succeeded"]
        earlier = (self.store.history(one.action) for one in reversed(done))
        return next((one for one in earlier if one is not None and one.success is not None), None)

    def _collect_results(self, nodes: Sequence[Node], heads: Mapping[str, ActionHistory | None]) -> _Results:
        read = make_item_reader(self.workspace.store_folder)
        confidence = self.workspace.project.settings.confidence
        found = collect_results("", nodes, heads, frozenset(), "", confidence=confidence, read_items=read)
        proved = []
        for result in found.results:
            record = self._read_record(result.action, result.attempt)
            proved.append(replace(result, facts=record.facts if record else {}, seeds=(1, 1)))
        return _Results({result.name: result for result in proved}, replace(found, results=tuple(proved)))

    def _tell(
        self, node: Node, head: ActionHistory | None, results: _Results, gates: tuple[GateResult, ...]
    ) -> AuditStory:
        found = self._find(node)
        attempts = tuple(self._try(list(found.attempts)))
        counted = next(
            (
                one
                for one in attempts
                if head and (one.record.action, one.record.attempt) == (head.action, head.success)
            ),
            None,
        )
        result = results.results.get(node.name) if counted else None
        read = [self.outputs.read(counted.record, name) for name in USAGES.values()] if counted else []
        usage = {role: data for role, (data, _) in zip(USAGES, read, strict=False) if data is not None}
        doubts = [*self._doubt(node, found), *(damage for _, damage in read if damage)]
        scores, notes, unread = results.estimate(result)
        causes, lost = self._find_causes(counted, result)
        made = _find_made(counted, attempts)
        identity = self._identity_of(made.record)[0] if made else {} if counted else _walks(node.action)
        is_other = counted is not None and counted.record.action != node.action.digest
        since = find_part_changes(made.record.identity, node.action, self.store) if made and is_other else ()
        return AuditStory(
            name=node.name,
            address=node.evaluation.address,
            action=node.action.digest,
            reasons=self.plan.decision(node.name).reasons,
            since=tuple(since),
            result=result,
            scores=scores,
            notes=notes,
            confidence=results.set.confidence_of([result]) if result else 0.95,
            counted=counted,
            made=made,
            attempts=attempts,
            identity=identity,
            usage=usage,
            parameters=describe_parameters(identity, usage.get("model", {})),
            causes=causes,
            gates=gates,
            doubts=(*doubts, *unread, *lost),
        )

    def _find(self, node: Node) -> _Found:
        """The attempts of a cell: of its name in this Evalfile, of its action, and those whose results it accepted."""
        named = [record for record in self.by_name[node.name] if self._is_here(record)]
        found = {(one.action, one.attempt): one for one in (*named, *self.by_action[node.action.digest])}
        pending = list(found.values())
        while pending:
            for source in self.by_action.get(pending.pop().facts.get(ACCEPTED_FROM, ""), ()):
                if (source.action, source.attempt) not in found:
                    found[source.action, source.attempt] = source
                    pending.append(source)
        elsewhere = sum((one.action, one.attempt) not in found for one in self.by_name[node.name])
        cell = node.evaluation
        renamed = self.undeclared[cell.model.name, cell.benchmark.name] - {one.name for one in found.values()}
        attempts = sorted(found.values(), key=_order)
        return _Found(tuple(attempts), elsewhere, tuple(sorted(renamed)))

    def _is_here(self, record: ActionResult) -> bool:
        """Whether a record is of this Evalfile; those of evalmake 0.1 do not say of which they are."""
        return record.facts.get(EVALFILE, self.store.evalfile) == self.store.evalfile

    def _try(self, records: Sequence[ActionResult]) -> Iterable[TriedAttempt]:
        """Each attempt with what differs from the one before it."""
        done = set[str]()
        before: ActionResult | None = None
        for record in records:
            changes, lost = self._compare(before, record)
            text = self.store.database.text(f"record/{record.action}/{record.attempt}") or ""
            (build, wrong), (own, broken) = (self.outputs.read(record, name) for name in (BUILD, ATTEMPT))
            yield TriedAttempt(
                record,
                self.store.record_digest(record.action, record.attempt),
                is_sealed(text),
                before is None,
                record.action in done,
                changes,
                lost,
                build,
                own,
                tuple(filter(None, (wrong, broken))),
            )
            before = record
            if record.status == "succeeded":
                done.add(record.action)

    def _compare(self, before: ActionResult | None, record: ActionResult) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """What changed in the identity since the attempt before, and the parts that cannot be compared."""
        if before is None or before.action == record.action:
            return (), ()
        walks, lost = self._identity_of(record)
        _, lost_before = self._identity_of(before)
        gone = {name for name in {*lost, *lost_before} if before.identity.get(name) != record.identity.get(name)}
        parts = {name: Part(tuple(pairs.items()), record.identity[name]) for name, pairs in walks.items()}
        known = {name: digest for name, digest in before.identity.items() if name not in gone}
        now = Action.of("evaluate", {name: part for name, part in parts.items() if name not in gone})
        return tuple(find_part_changes(known, now, self.store)), tuple(sorted(gone))

    def _identity_of(self, record: ActionResult) -> tuple[dict[str, Pairs], list[str]]:
        """The walks of a record's identity by part, and the parts that the store has lost."""
        walks = {name: self.store.part(digest) for name, digest in record.identity.items()}
        return {n: pairs for n, pairs in walks.items() if pairs is not None}, [n for n, p in walks.items() if p is None]

    def _find_causes(
        self, counted: TriedAttempt | None, result: Result | None
    ) -> tuple[tuple[tuple[str, int], ...], list[str]]:
        """Why samples of a result have no score; from its samples, or else from its record."""
        score = result.score(result.metric) if result else None
        if counted is None or score is None or not score.unscored:
            return (), []
        try:
            samples = self.store.output(counted.record, SAMPLES)
        except EvalmakeError:
            return (), [f"{SAMPLES} is missing or damaged, so why samples have no score cannot be told"]
        causes = SampleCounts.of((samples or b"").split(b"\n"), score.metric).causes
        return tuple(causes) or (((counted.record.detail, score.unscored),) if counted.record.detail else ()), []

    def _doubt(self, node: Node, found: _Found) -> Iterable[str]:
        """What the records do not tell."""
        if self.unjudged and node.evaluation.gates:
            yield self.unjudged
        own = [
            key for key in self.damaged if _is_of(key, {node.action.digest, *(one.action for one in found.attempts)})
        ]
        if own:
            yield f"{count_of(len(own), 'record')} of this cell cannot be read, because of damage"
        if others := len(self.damaged) - len(own):
            what = count_of(others, "record")
            yield f"{what} in the store cannot be read, because of damage: of what cell is not known"
        for action in dict.fromkeys(one.action for one in found.attempts):
            numbers = self.store.attempt_numbers(action)
            if missing := sorted({*range(1, max(numbers, default=0) + 1)} - {*numbers}):
                listed = ", ".join(map(str, missing))
                yield f"attempt {listed} of the action {action} is not in the store any more"
        if found.elsewhere:
            these = "attempts" if found.elsewhere > 1 else "attempt"
            yield f"another Evalfile has {found.elsewhere} {these} of a cell of this name, which are not told here"
        if found.renamed:
            names = ", ".join(found.renamed[:5]) + (" and others" if len(found.renamed) > 5 else "")
            yield (
                "the same model and benchmark were evaluated under names that the Evalfile no longer has:"
                f" {names} (`evalmake history NAME` lists the attempts)"
            )

    def _read_record(self, action: str, number: int) -> ActionResult | None:
        return next((one for one in self.by_action[action] if one.attempt == number), None)


@dataclass(frozen=True, slots=True)
class _Results:
    """The results by name, and the set that estimates their scores."""

    results: Mapping[str, Result]
    set: ResultSet

    def describe(self, found: Sequence[Result]) -> tuple[str, tuple[Note, ...]]:
        """The mean of results that differ only in their seed, `accuracy 0.68 [0.64, 0.72]`, and the notes on it."""
        if not found:
            return "", ()
        metric = found[0].metric
        try:
            average = self.set.average(metric, found)
        except EvalmakeError:
            return f"{metric} (its samples are missing or damaged)", ()
        return f"{metric} {format_estimate(average.mean, average.low, average.high)}", average.notes

    def estimate(self, result: Result | None) -> tuple[tuple[Score, ...], tuple[Note, ...], list[str]]:
        """The scores of a result with their intervals and its notes, and what cannot be read for them."""
        if result is None:
            return (), (), []
        try:
            return self.set.estimate_scores(result), self.set.average(result.metric, [result]).notes, []
        except EvalmakeError:
            return result.scores, (), [f"{SAMPLES} is missing or damaged, so the interval cannot be computed"]


def _find_made(counted: TriedAttempt | None, attempts: Sequence[TriedAttempt]) -> TriedAttempt | None:
    """The attempt that made a result: of an acceptance, the one whose times it has. None where that is lost."""
    if counted is None or counted.accepted_because is None:
        return counted
    sources, action = set[str](), counted.record.facts.get(ACCEPTED_FROM, "")
    while action not in sources:
        sources.add(action)
        more = (one.record.facts.get(ACCEPTED_FROM) for one in attempts if one.record.action == action)
        action = next(filter(None, more), action)
    times = (counted.record.started, counted.record.finished)
    same = (one for one in attempts if (one.record.started, one.record.finished) == times)
    return next((one for one in same if one.record.action in sources and one.accepted_because is None), None)


def _walks(action: Action) -> dict[str, Pairs]:
    return {name: dict(part.pairs) for name, part in action.parts}


def _name(node: Node) -> str:
    return node.name


def _order(record: ActionResult) -> tuple[str, bool, int]:
    """By time; an acceptance comes after the attempt whose times it has."""
    moment = record.facts.get(ACCEPTED_AT) or record.finished
    return moment, ACCEPTED_FROM in record.facts, record.attempt


def _is_of(key: str, actions: set[str]) -> bool:
    """Whether the key of a damaged record is that of one of these actions."""
    try:
        return parse_record_key(key)[0] in actions
    except ValueError:
        return False

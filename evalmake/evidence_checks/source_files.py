"""Compares the files in `sources/` with those that `inputs.json` names, by their digests: no Evalfile has to load."""

from __future__ import annotations

from collections.abc import Iterator

from evalmake.evidence import layout
from evalmake.evidence_checks.folder import BadEvidence, EvidenceFolder
from evalmake.evidence_checks.loaded_inputs import NewerVersion, parse_inputs
from evalmake.evidence_checks.path_names import place_of


def contradict_sources(folder: EvidenceFolder) -> Iterator[str]:
    """What evidence says of its sources that cannot be: evalmake writes no such evidence, of whatever version."""
    try:
        inputs = parse_inputs(folder.read(layout.INPUTS))
    except NewerVersion:
        return  # which the plan says
    except BadEvidence as error:
        yield str(error)
        return
    except ValueError as error:
        yield f"{layout.INPUTS} is not what evalmake writes: {error}"
        return
    digests = {f"{layout.SOURCES}/{place_of(name)}": digest for name, digest in inputs.files.items()}
    for path in folder.files:
        if not path.startswith(f"{layout.SOURCES}/"):
            continue
        if path not in digests:
            yield f"{layout.INPUTS} does not know the file {path}"
        elif folder.digest(path) != digests[path]:
            yield f"{path} is not the file whose digest {layout.INPUTS} has"

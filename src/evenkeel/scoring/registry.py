"""The models on record: hashed data in a folder, and a log of who did what to them, when and why.

    models/VERSION.json    one model as canonical JSON; `sha256sum` of the file begins with the hash in its name
    models/log.jsonl       one line an event; each line names the SHA-256 of the line before it
    models/registry.lock   held while something changes, by one process at a time

What a model is now (candidate, challenger, champion, retired) is a fold over the log; nothing else holds it. Every file
is written beside its place and renamed into it, the model before the line that tells of it, so a process that is killed
leaves what was there before. The chain shows a changed or lost line inside the log; that its end was cut off is seen
only by whoever keeps the `head` elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.scoring.bintext import bin_texts
from evenkeel.scoring.scorecard import Feature, FloatArray, Scorecard, from_document
from evenkeel.storage.files import exclusive, write_new, writing

_LOG, _LOCK = "log.jsonl", "registry.lock"
_START = "0" * 64  # what the first line names as the line before it
_LIMIT_S = 10.0
_MODE = 0o644
_VERSION = re.compile(r"[a-z][a-z0-9_]{0,31}-[0-9a-f]{16}")


class State(StrEnum):
    """What a model is to its lender."""

    CANDIDATE = "candidate"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. state: what the model became. replaces: the champion that a new one sent into retirement."""

    seq: int
    at: str
    state: State
    name: str
    version: str
    by: str
    why: str
    sha256: str
    replaces: str | None
    previous: str

    def line(self) -> str:
        """The event as it stands in the log."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A model as it stands now. by, since, why: of the last change; approver: who made it champion or challenger."""

    version: str
    name: str
    state: State
    sha256: str
    trainer: str
    registered_at: str
    approver: str | None
    by: str
    since: str
    why: str

    def document(self) -> dict[str, object]:
        """The entry as data."""
        return asdict(self)


def canonical(document: Mapping[str, object]) -> str:
    """The one text of a model's document. Raises InvalidInput on what is not data, or not finite."""
    try:
        return json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"the model is not plain data: {error}.", "A model holds texts and finite numbers."
        ) from None


def version_of(document: Mapping[str, object]) -> str:
    """The version of a document: its kind and the beginning of its SHA-256. Equal to `Scorecard.version`."""
    version = f"{document.get('kind')}-{_sha256(canonical(document))[:16]}"
    if not _VERSION.fullmatch(version):
        raise InvalidInput(f"{document.get('kind')!r} is no kind of a model.", "A kind is a short lower-case word.")
    return version


class Registry:
    """The models of one folder. Any number of processes may use it at once."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """folder: made with the first model. clock: gives the instants of the log."""
        self.folder = folder
        self._clock = clock

    # --- reading ------------------------------------------------------------------------------------------------------

    def history(self) -> tuple[Event, ...]:
        """Every event, the oldest first. Raises Conflict where the log was changed."""
        try:
            text = (self.folder / _LOG).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        events: list[Event] = []
        previous = _START
        for number, line in enumerate(text.split("\n")[:-1], 1):
            event = _event(line, self.folder / _LOG, number)
            if event.previous != previous or event.seq != number:
                raise Conflict(
                    f"{self.folder / _LOG}: line {number} does not follow the line before it; the log was changed.",
                    "Restore the folder from a copy; nothing in it can be relied on.",
                )
            events.append(event)
            previous = _sha256(line)
        return tuple(events)

    @property
    def head(self) -> str:
        """SHA-256 of the last line; kept elsewhere, it proves that the log was not cut."""
        events = self.history()
        return _sha256(events[-1].line()) if events else _START

    def entries(self) -> tuple[Entry, ...]:
        """Every model as it stands, in the order in which they were registered."""
        return tuple(_fold(self.history()).values())

    def champion(self, name: str) -> Entry | None:
        """The model in force under a name."""
        return next((e for e in self.entries() if e.name == name and e.state is State.CHAMPION), None)

    def find(self, reference: str) -> Entry:
        """The model that is meant: a version, the beginning of one, or a name for its champion. Raises NotFound."""
        entries = {entry.version: entry for entry in self.entries()}
        if reference in entries:
            return entries[reference]
        named = [e for e in entries.values() if e.name == reference and e.state is State.CHAMPION]
        begun = [e for version, e in entries.items() if reference and version.startswith(reference)]
        found = named or begun
        if not found:
            raise NotFound(
                f"{self.folder} holds no model {reference!r}, and no champion of that name.",
                "`evenkeel model list` shows what there is.",
            )
        if len(found) > 1:
            listed = ", ".join(entry.version for entry in found[:5])
            raise NotFound(f"{reference!r} is the beginning of several versions: {listed}.", "Give more of it.")
        return found[0]

    def document(self, version: str) -> dict[str, object]:
        """A model as data, held to the hash on record. Raises NotFound, or Conflict where the file was changed."""
        entry = _fold(self.history()).get(version)
        if entry is None:
            raise NotFound(f"{self.folder} holds no model {version!r}.", "`evenkeel model list` shows what there is.")
        path = self._path(version)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"{path} is gone.", "Restore it from a copy; the log says that it was there.") from None
        found = hashlib.sha256(data).hexdigest()
        if found != entry.sha256:
            raise Conflict(
                f"{path} is not what was registered: its SHA-256 is {found[:16]}..., on record is "
                f"{entry.sha256[:16]}...",
                "It is not used. Restore the file from a copy.",
            )
        document: dict[str, object] = json.loads(data)
        return document

    def load(self, version: str) -> Scorecard:
        """A scorecard, held to the hash on record. Raises as `document`, and InvalidInput where it is no scorecard."""
        return from_document(self.document(version))

    # --- changing -----------------------------------------------------------------------------------------------------

    def register(self, document: Mapping[str, object], name: str, *, by: str, why: str) -> str:
        """Put a model on record as a candidate; returns its version. The same model again changes nothing.

        name: what it is for, such as `application`; one champion a name. by: who trained it.
        Raises Conflict where the model is on record under another name.
        """
        _told(name=name, by=by, why=why)
        text, version = canonical(document), version_of(document)
        with self._alone() as events:
            known = _fold(events).get(version)
            if known is not None and known.name != name:
                raise Conflict(f"{version} is on record as {known.name!r} already.", "A model has one name.")
            write_new(self._path(version), text, _MODE)  # again where its file was lost: the hash decides
            if known is None:
                self._append(events, State.CANDIDATE, name, version, by, why, _sha256(text), None)
        return version

    def promote(self, version: str, to: State = State.CHAMPION, *, by: str, why: str) -> None:
        """Make a model champion or challenger. A new champion retires the one before it, in the same step.

        by: the approver, somebody else than who trained the model. A retired model may come back this way.
        Raises NotPermitted for the trainer's own approval, Conflict where it is that already, NotFound.
        """
        _told(by=by, why=why)
        if to not in (State.CHAMPION, State.CHALLENGER):
            raise InvalidInput(f"no model is promoted to {to}.", "Choose champion or challenger.")
        with self._alone() as events:
            entry = _known(events, version)
            trainers = {entry.trainer, str(_facts(self.document(version)).get("trained_by", entry.trainer))}
            if _person(by) in {_person(trainer) for trainer in trainers}:
                raise NotPermitted(
                    f"{by} trained {version} and cannot approve it.",
                    "A second person has to look at it and promote it.",
                )
            if entry.state is to:
                raise Conflict(f"{version} is the {to} already.")
            reigning = [e for e in _fold(events).values() if e.name == entry.name and e.state is State.CHAMPION]
            replaces = reigning[0].version if reigning and to is State.CHAMPION else None
            self._append(events, to, entry.name, version, by, why, entry.sha256, replaces)

    def retire(self, version: str, *, by: str, why: str) -> None:
        """Take a model out of use. It stays on record. Raises Conflict where it is retired already, NotFound."""
        _told(by=by, why=why)
        with self._alone() as events:
            entry = _known(events, version)
            if entry.state is State.RETIRED:
                raise Conflict(f"{version} is retired already.")
            self._append(events, State.RETIRED, entry.name, version, by, why, entry.sha256, None)

    @contextmanager
    def _alone(self) -> Iterator[tuple[Event, ...]]:
        """The events so far, with the registry locked against every other process."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with exclusive(self.folder / _LOCK, f"The registry {self.folder}", self._clock, _LIMIT_S):
            events = self.history()
            with writing(self.folder):
                yield events

    def _append(
        self, events: tuple[Event, ...], state: State, name: str, version: str, by: str, why: str, sha256: str,
        replaces: str | None,
    ) -> None:  # fmt: skip
        lines = [event.line() for event in events]
        event = Event(
            len(events) + 1, self._clock().isoformat("T", "seconds"), state, name, version, by.strip(), why.strip(),
            sha256, replaces, _sha256(lines[-1]) if lines else _START,
        )  # fmt: skip
        write_new(self.folder / _LOG, "".join(f"{line}\n" for line in [*lines, event.line()]), _MODE)

    def _path(self, version: str) -> Path:
        return self.folder / f"{version}.json"


def _fold(events: tuple[Event, ...]) -> dict[str, Entry]:
    """What every model is after the events."""
    entries: dict[str, Entry] = {}
    for event in events:
        entry = entries.get(event.version) or Entry(
            event.version, event.name, event.state, event.sha256, event.by, event.at, None, event.by, event.at, ""
        )
        approver = event.by if event.state in (State.CHAMPION, State.CHALLENGER) else entry.approver
        changed = {"by": event.by, "since": event.at, "why": event.why}
        entries[event.version] = replace(entry, state=event.state, approver=approver, **changed)
        if event.replaces in entries:
            entries[event.replaces] = replace(entries[event.replaces], state=State.RETIRED, **changed)
    return entries


def _known(events: tuple[Event, ...], version: str) -> Entry:
    entry = _fold(events).get(version)
    if entry is None:
        raise NotFound(f"the registry holds no model {version!r}.", "`evenkeel model list` shows what there is.")
    return entry


def _event(line: str, path: Path, number: int) -> Event:
    try:
        fields = json.loads(line)
        return Event(**(fields | {"state": State(fields["state"])}))
    except (ValueError, TypeError, KeyError) as error:
        raise Conflict(f"{path}: line {number} is no event: {error}.", "Restore the folder from a copy.") from None


def _told(**fields: str) -> None:
    """Who and why are never empty, and stand on one line."""
    for field, text in fields.items():
        if not text.strip() or len(text) > 1000 or not text.isprintable():
            raise InvalidInput(f"`{field}` is {text[:40]!r}.", "It is one line of text, and has to say something.")


def _person(name: str) -> str:
    return " ".join(name.casefold().split())


def _facts(document: Mapping[str, object]) -> Mapping[str, object]:
    facts = document.get("facts")
    return facts if isinstance(facts, Mapping) else {}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- two models side by side ------------------------------------------------------------------------------------------


def compare(a: Scorecard, b: Scorecard) -> dict[str, object]:
    """What changes from scorecard a to scorecard b: features, pairs, points (both on b's scale), and performance.

    A feature's move is b's points less a's; both are step functions, so it is taken once in every stretch between the
    edges of either, at every special value and level, and where the value is not known. `largest` is the one furthest
    from 0, `where` its stretch. Models that were fitted on different columns share only what has the same name.
    """
    before, after = ({f.name: place for place, f in enumerate(card.features)} for card in (a, b))
    common = [name for name in before if name in after]
    moves = [_feature_move(a, b, before[name], after[name]) for name in common]
    pairs_before, pairs_after = _pair_names(a), _pair_names(b)
    return {
        "a": a.version,
        "b": b.version,
        "kinds": [a.kind, b.kind],
        "scaling": [a.document()["scaling"], b.document()["scaling"]],
        "base_points": [b.scaling.offset - b.scaling.factor * card.intercept for card in (a, b)],
        "features": {
            "added": [name for name in after if name not in before],
            "removed": [name for name in before if name not in after],
            "moved": sorted((m for m in moves if m["largest"] != 0), key=_by_size),
            "same": [str(m["name"]) for m in moves if m["largest"] == 0],
        },
        "pairs": {
            "added": [list(names) for names in pairs_after if names not in pairs_before],
            "removed": [list(names) for names in pairs_before if names not in pairs_after],
            "kept": [list(names) for names in pairs_after if names in pairs_before],
        },
        "performance": [card.facts.get("performance") for card in (a, b)],
        "rows": [card.facts.get("rows") for card in (a, b)],
    }


def _by_size(move: dict[str, object]) -> tuple[float, str]:
    """The largest moves first; one that cannot be measured before them all."""
    largest = move["largest"]
    return (-abs(largest) if isinstance(largest, float) else -np.inf), str(move["name"])


def _pair_names(card: Scorecard) -> list[tuple[str, str]]:
    names = [feature.name for feature in card.features]
    return [tuple(sorted((names[pair.first], names[pair.second]))) for pair in card.pairs]  # type: ignore[misc]


def _feature_move(a: Scorecard, b: Scorecard, first: int, second: int) -> dict[str, object]:
    old, new = a.features[first], b.features[second]
    if (old.levels is None) != (new.levels is None):
        return {"name": new.name, "largest": None, "where": "numbers became texts, or the reverse", "points": None}
    column, labels = _stretches(old, new)
    factor = b.scaling.factor
    was, now = (-factor * table.take(f.codes(column)) for table, f in ((a.tables[first], old), (b.tables[second], new)))
    place = int(np.abs(now - was).argmax())
    largest = round(float(now[place] - was[place]), 6)
    return {
        "name": new.name, "largest": largest, "where": labels[place],
        "points": [round(float(was[place]), 6), round(float(now[place]), 6)],
    }  # fmt: skip


def _stretches(old: Feature, new: Feature) -> tuple[pa.Array, list[str]]:
    """A value of every stretch in which neither feature changes its code, and what to call the stretch."""
    if old.levels is not None and new.levels is not None:
        levels = list(dict.fromkeys((*old.levels, *new.levels)))
        unseen = max(levels, key=len, default="") + " "  # longer than every level, so none of them
        return pa.array([*levels, unseen, None], pa.string()), [*levels, "other", "missing"]
    merged = Feature(new.name, new.concept, np.union1d(old.edges, new.edges),
                     specials=tuple(dict.fromkeys((*old.specials, *new.specials))))  # fmt: skip
    specials, edges = np.array(merged.specials), merged.edges
    values = np.concatenate((_below(edges, specials), edges, specials, [np.nan]))
    for place in range(1, len(edges) + 1):
        while values[place] in specials:
            values[place] = np.nextafter(values[place], np.inf)
    return pa.array(values, from_pandas=True), bin_texts(merged)


def _below(edges: FloatArray, specials: FloatArray) -> FloatArray:
    """A value below every edge that is no special one."""
    lowest = min([*edges[:1], *specials, 0.0])
    return np.array([np.nextafter(lowest, -np.inf)])

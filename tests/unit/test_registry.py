"""The registry: hashed data, a chained log, a second person; nothing lost when a process dies or two work at once."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.scoring.registry import Registry, State, compare, version_of
from evenkeel.scoring.scorecard import Feature
from model_samples import FEATURES, REGIONS, applicants, card

CLOCK = fixed_clock(datetime(2024, 6, 30, 12, tzinfo=UTC))
CARD = card()
OTHER = card(seed=2)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models", CLOCK)


def registered(registry: Registry, model: Any = CARD) -> str:
    return registry.register(model.document(), "application", by="Lin", why="spring data")


def test_a_model_comes_back_as_it_was_registered(registry: Registry) -> None:
    version = registered(registry)
    columns, _, _ = applicants(500, 3)
    assert version == CARD.version
    assert registry.load(version).document() == CARD.document()
    assert np.array_equal(registry.load(version).score(columns), CARD.score(columns))


def test_the_file_name_is_its_hash_and_the_file_is_plain_json(registry: Registry) -> None:
    version = registered(registry)
    data = (registry.folder / f"{version}.json").read_bytes()
    assert version == f"woe-{hashlib.sha256(data).hexdigest()[:16]}"
    assert json.loads(data)["kind"] == "woe"


def test_a_tampered_model_is_refused(registry: Registry) -> None:
    version = registered(registry)
    path = registry.folder / f"{version}.json"
    path.write_text(path.read_text().replace('"intercept": -', '"intercept": -1'))
    with pytest.raises(Conflict, match="is not what was registered"):
        registry.load(version)


def test_a_lost_model_is_named_and_registering_it_again_brings_it_back(registry: Registry) -> None:
    version = registered(registry)
    (registry.folder / f"{version}.json").unlink()
    with pytest.raises(NotFound, match="is gone"):
        registry.load(version)
    registered(registry)
    assert registry.load(version).version == version
    assert len(registry.history()) == 1


def test_the_same_model_twice_changes_nothing_and_has_one_name(registry: Registry) -> None:
    registered(registry)
    before = (registry.folder / "log.jsonl").read_bytes()
    registered(registry)
    assert (registry.folder / "log.jsonl").read_bytes() == before
    with pytest.raises(Conflict, match="on record as 'application'"):
        registry.register(CARD.document(), "behaviour", by="Lin", why="again")


def test_a_trainer_cannot_approve_the_own_model_however_the_name_is_written(registry: Registry) -> None:
    version = registered(registry)
    for name in ("Lin", "lin", "  LIN "):
        with pytest.raises(NotPermitted, match="cannot approve"):
            registry.promote(version, by=name, why="it is good")
    assert registry.entries()[0].state is State.CANDIDATE


def test_who_the_model_says_trained_it_cannot_approve_it_either(registry: Registry) -> None:
    model = card(trained_by="Mei")
    version = registry.register(model.document(), "application", by="Lin", why="on behalf")
    with pytest.raises(NotPermitted):
        registry.promote(version, by="mei", why="mine")


def test_a_new_champion_retires_the_one_before_it_and_it_may_come_back(registry: Registry) -> None:
    first, second = registered(registry), registered(registry, OTHER)
    registry.promote(first, by="Chen", why="best in validation")
    registry.promote(second, State.CHALLENGER, by="Chen", why="to be watched")
    registry.promote(second, by="Chen", why="better for three months")
    assert {e.version: e.state for e in registry.entries()} == {first: State.RETIRED, second: State.CHAMPION}
    registry.promote(first, by="Chen", why="the new one drifted")
    champion = registry.champion("application")
    assert champion is not None and champion.version == first and champion.approver == "Chen"
    assert sum(e.state is State.CHAMPION for e in registry.entries()) == 1


def test_every_name_has_its_own_champion(registry: Registry) -> None:
    first = registered(registry)
    second = registry.register(OTHER.document(), "behaviour", by="Lin", why="monthly")
    for version in (first, second):
        registry.promote(version, by="Chen", why="approved")
    assert registry.champion("application") == registry.find(first)
    assert registry.champion("behaviour") == registry.find("behaviour") == registry.find(second)


def test_what_is_already_so_is_a_conflict(registry: Registry) -> None:
    version = registered(registry)
    registry.promote(version, by="Chen", why="yes")
    with pytest.raises(Conflict, match="champion already"):
        registry.promote(version, by="Chen", why="again")
    registry.retire(version, by="Chen", why="no longer")
    with pytest.raises(Conflict, match="retired already"):
        registry.retire(version, by="Chen", why="again")
    assert registry.champion("application") is None


def test_a_model_is_found_by_version_by_its_beginning_and_by_name(registry: Registry) -> None:
    version = registered(registry)
    assert registry.find(version[:8]).version == version
    with pytest.raises(NotFound, match="no champion of that name"):
        registry.find("application")
    registered(registry, OTHER)
    with pytest.raises(NotFound, match="several versions"):
        registry.find("woe-")
    with pytest.raises(NotFound):
        registry.load("woe-0000000000000000")


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * 1001])
def test_who_and_why_have_to_say_something(registry: Registry, text: str) -> None:
    with pytest.raises(InvalidInput):
        registry.register(CARD.document(), "application", by="Lin", why=text)
    with pytest.raises(InvalidInput):
        registry.register(CARD.document(), "application", by=text, why="data")
    assert registry.history() == ()


@pytest.mark.parametrize("kind", ["../woe", "", "Woe", None, "a b"])
def test_a_kind_never_becomes_a_path(kind: object) -> None:
    with pytest.raises(InvalidInput):
        version_of({"kind": kind})


def test_a_model_that_is_not_data_is_refused(registry: Registry) -> None:
    for value in (float("nan"), {1, 2}, object()):
        with pytest.raises(InvalidInput, match="not plain data"):
            registry.register({"kind": "woe", "facts": value}, "application", by="Lin", why="data")


@given(place=st.integers(0, 10_000), letter=st.characters(codec="ascii", categories=["L", "N"]))
@settings(max_examples=60, deadline=None)
def test_a_change_of_any_letter_before_the_last_line_of_the_log_is_seen(
    tmp_path_factory: pytest.TempPathFactory, place: int, letter: str
) -> None:
    registry = Registry(tmp_path_factory.mktemp("models"), CLOCK)
    version = registered(registry)
    registry.promote(version, by="Chen", why="yes")
    registry.retire(version, by="Chen", why="no")
    log = registry.folder / "log.jsonl"
    text = log.read_text()
    place %= text.rindex("\n", 0, -1)
    changed = text[:place] + letter + text[place + 1 :]
    log.write_text(changed)
    if changed != text:
        with pytest.raises(Conflict):
            registry.history()


def test_the_head_tells_a_log_that_was_cut(registry: Registry) -> None:
    version = registered(registry)
    registry.promote(version, by="Chen", why="yes")
    head, log = registry.head, registry.folder / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    assert registry.find(version).state is State.CANDIDATE
    assert registry.head != head


_CHILD = textwrap.dedent(
    """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from evenkeel.scoring.registry import Registry
    registry = Registry(Path(sys.argv[1]), lambda: datetime(2024, 6, 30, tzinfo=UTC))
    for place in range(int(sys.argv[3])):
        document = {"kind": "woe", "name": sys.argv[2], "place": place, "weight": "x" * 20000}
        version = registry.register(document, "application", by="Lin", why=f"{sys.argv[2]} {place}")
        registry.promote(version, by="Chen", why="next")
        print(version, flush=True)
    """
)


def _start(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _CHILD, str(folder), name, str(count)],
                            stdout=subprocess.PIPE, text=True)  # fmt: skip


def test_two_processes_at_once_lose_nothing_and_make_one_champion(registry: Registry) -> None:
    children = [_start(registry.folder, name, 12) for name in ("a", "b")]
    versions = {line for child in children for line in child.communicate(timeout=60)[0].split()}
    assert [child.returncode for child in children] == [0, 0]
    entries = registry.entries()
    assert {e.version for e in entries} == versions and len(versions) == 24
    assert len(registry.history()) == 48
    assert sum(e.state is State.CHAMPION for e in entries) == 1
    for version in versions:
        registry.document(version)


def test_a_process_killed_at_any_moment_leaves_a_whole_registry(registry: Registry) -> None:
    done: list[str] = []
    for attempt in range(4):
        child = _start(registry.folder, f"k{attempt}", 1000)
        assert child.stdout is not None
        done.append(child.stdout.readline().strip())
        time.sleep(0.005 * attempt)
        os.kill(child.pid, signal.SIGKILL)
        done += child.communicate(timeout=60)[0].split()
        entries = registry.entries()
        assert {*done} <= {e.version for e in entries}  # what was answered is on record
        for entry in entries:
            registry.document(entry.version)
        assert sum(e.state is State.CHAMPION for e in entries) == 1
    registered(registry)  # and it goes on
    assert registry.load(CARD.version).version == CARD.version


@pytest.mark.parametrize("write", [1, 2])
def test_a_crash_before_a_file_is_in_its_place_leaves_the_old_state(
    registry: Registry, write: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(registry)
    before, calls = registry.entries(), 0
    replace = Path.replace

    def crash(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == write:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        registered(registry, OTHER)
    monkeypatch.undo()
    assert registry.entries() == before
    assert registered(registry, OTHER) == OTHER.version


def test_a_comparison_names_what_came_went_and_moved() -> None:
    utilisation, income, region, late = FEATURES
    wider = Feature("income", "income", np.array([3500.0, 6000.0]), trend=-1)
    found: Any = compare(card(features=(utilisation, income, region)), card(features=(utilisation, wider, late)))
    assert found["features"]["added"] == ["late"]
    assert found["features"]["removed"] == ["region"]
    assert found["pairs"] == {"added": [], "removed": [["region", "utilisation"]], "kept": []}
    moved = {move["name"]: move for move in found["features"]["moved"]}
    assert set(moved) == {"income"} and found["features"]["same"] == ["utilisation"]
    assert moved["income"]["where"] in ("5000 to < 6000", "6000 to < 7500", "3500 to < 5000", ">= 7500")
    assert json.loads(json.dumps(found)) == found


def test_the_largest_move_is_the_one_that_a_search_over_values_finds() -> None:
    a, b = card(), card(seed=9, features=(Feature("late", "late", np.array([1.0, 3.0]), specials=(97.0, 98.0)),))
    found: Any = compare(a, b)
    (move,) = [*found["features"]["moved"]]
    values = np.concatenate((np.linspace(-2, 120, 24_401), [97.0, 98.0, np.nan]))
    import pyarrow as pa

    column = pa.array(values, from_pandas=True)
    points = [
        -b.scaling.factor * table.take(feature.codes(column))
        for feature, table in ((a.features[3], a.tables[3]), (b.features[0], b.tables[0]))
    ]
    gap = points[1] - points[0]
    assert move["largest"] == pytest.approx(gap[np.abs(gap).argmax()], abs=1e-6)


def test_levels_that_one_model_knows_and_the_other_does_not_are_compared_with_other() -> None:
    a = card(features=(Feature("region", "region", levels=REGIONS),))
    b = card(features=(Feature("region", "region", levels=REGIONS[:2]),))
    found: Any = compare(a, b)
    (move,) = found["features"]["moved"]
    assert move["where"] in ("west", "other")
    assert compare(a, a)["features"]["same"] == ["region"]  # type: ignore[index]

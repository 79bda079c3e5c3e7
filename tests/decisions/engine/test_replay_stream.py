"""Events in disorder through the engine, on three lanes: every decision again to the byte, features as by Ibis.

The stream is that of `benchmarks/decisions_replay.py`: late, doubled and undone events, purchases and applications
among them, lines that are opened, paid and released meanwhile.
"""

import sys
from pathlib import Path

import pytest

from evenkeel.decisions.record import coverage
from evenkeel.storage import chain
from evenkeel.storage.workspace import open_workspace

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import decisions_replay as stream


def shown(tmp_path: Path, url: str, tables: list[stream.pa.Table], share: float) -> stream.Made:
    """Make a record of the events and hold it to its replay, its chain, and Ibis for a share of the borrowers."""
    clock = stream.Ticking()
    with open_workspace(tmp_path / "workspace", database_url=url, clock=clock) as workspace:
        made = stream.make(workspace, url, clock, tables, lanes=3)
        assert made.decisions and made.twice and made.late and made.undone and made.posted and not made.refused
        found = stream.again(workspace)
        assert (found.replayed, found.identical) == (made.decisions, made.decisions)
        assert set(found.causes) == {"late_fact"} and found.causes["late_fact"].other_outcome
        covered = coverage(workspace.engine)
        assert (covered.decisions, covered.uncovered) == (made.decisions, 0)
        assert not chain.verify(workspace.engine).faults
        agree, differ, before = stream.by_batch(workspace, share)
        assert agree > 2 * before and differ == 0
    return made


def test_a_sample_of_events(tmp_path: Path, given_url: str) -> None:
    assert shown(tmp_path, given_url, [stream.of_generated(15)], 0.5).events > 1_000


@pytest.mark.prove
def test_a_million_events_real_and_generated(tmp_path: Path, given_url: str, shared: Path) -> None:
    tables = [stream.of_berka(shared), stream.of_generated(9_000)]
    assert shown(tmp_path, given_url, tables, 0.05).events >= 1_000_000

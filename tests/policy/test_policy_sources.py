"""Which policies a run takes: the shipped ones, and a user's own that do not fail open."""

from pathlib import Path

import pytest

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.policy.check.checking import check
from evenkeel.policy.check.proof import prove
from evenkeel.policy.sources import SHIPPED, policy_from, shipped
from limit_policies import TWO_WAYS, limits_dmn


@pytest.mark.parametrize("kind", SHIPPED)
def test_what_ships_is_of_its_kind_sound_and_proved(kind: str) -> None:
    found = policy_from(None, kind)
    assert (found.program.kind, found.notes) == (kind, ())
    assert not [finding for finding in check(found.text, kind) if finding.level != "warning"]
    assert prove(found.program).proved


def written(tmp_path: Path, text: str, name: str = "own.dmn") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_policy_of_ones_own_is_taken_with_its_text(tmp_path: Path) -> None:
    text = shipped("limit").text.replace("&gt;= 0.35", "&gt;= 0.4").replace("[0.2..0.35)", "[0.2..0.4)")
    found = policy_from(written(tmp_path, text), "limit")
    assert found.text == text
    assert found.program.version != shipped("limit").program.version
    assert found.notes == ()


@pytest.mark.parametrize("text", ['name = "limits"\nstep_minor = 1\n', "", "pd;outcome\n", '{"a": 1}'])
def test_what_is_no_dmn_is_refused_with_what_to_do(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match="those in TOML are no longer read") as refused:
        policy_from(written(tmp_path, text, "limits.toml"), "limit")
    assert "copy of limits.dmn" in refused.value.remedy


def test_a_file_that_cannot_be_read_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(InvalidUsage, match="cannot be read"):
        policy_from(tmp_path / "nowhere.dmn", "limit")
    (tmp_path / "latin.dmn").write_bytes("<é".encode("latin-1"))
    with pytest.raises(InvalidUsage, match="UTF-8"):
        policy_from(tmp_path / "latin.dmn", "limit")


def test_a_policy_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="decides a grant, not a limit"):
        policy_from(written(tmp_path, shipped("grant").text), "limit")


OPEN = [("up", {"pd": "not(0.9)"}, "raise", "raise_earned", "1.2"), ("rest", {}, "keep", "no_change", "")]
LOWERS = [("calm", {"pd": "< 0.5"}, "keep", "no_change", ""), ("rest", {}, "lower", "risk_high", "0.5")]


@pytest.mark.parametrize("rows", [OPEN, LOWERS])
def test_a_policy_that_fails_open_is_refused_with_an_example(tmp_path: Path, rows: list) -> None:  # type: ignore[type-arg]
    with pytest.raises(InvalidInput, match=r"does not fail closed\. Without pd the outcome is (raise|lower)"):
        policy_from(written(tmp_path, limits_dmn({"pd": "number"}, rows)), "limit")


def test_what_keeps_a_policy_from_being_published_is_noted_though_it_may_be_run(tmp_path: Path) -> None:
    gap = limits_dmn({"pd": "number"}, [("down", {"pd": ">= 0.5"}, "lower", "mood", "0.7")])
    found = policy_from(written(tmp_path, gap), "limit")
    assert len(found.notes) == 2
    assert any("no row decides" in note for note in found.notes)
    assert any("mood" in note for note in found.notes)
    assert policy_from(written(tmp_path, TWO_WAYS), "limit").notes == ()

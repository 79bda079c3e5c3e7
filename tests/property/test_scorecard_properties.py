"""Scorecards of any names, edges and values: what leaves scores alike, and what is read back is what was written."""

import math
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.scoring.bintext import bin_texts, parsed
from evenkeel.scoring.export import to_python, to_sql
from evenkeel.scoring.frame import frame
from evenkeel.scoring.reasons import reasons
from evenkeel.scoring.scorecard import Feature, Scorecard
from evenkeel.scoring.tableio import read_scorecard, write_card
from scorecards import card_of, random_card

HOSTILE = st.sampled_from(
    ['"', "'", "\\", "--", ";", "/*", "*/", "\n", "\r", "\0", "{}", "%s", "$$", "E'", '"""', "#", "missing", "other",
     ",", " | ", " × ", "=", "nan", "1", "\u2028", "\u202e", "\x7f", "[", "<", "%,%", " "]
)  # fmt: skip
TEXTS = st.lists(st.one_of(HOSTILE, st.text(max_size=4)), max_size=5).map("".join)
NAMES = TEXTS.filter(lambda text: bool(text) and "\0" not in text)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(st.none(), st.floats(), st.integers(-(2**53), 2**53).map(float))
TABLE = st.floats(-20, 20)


@st.composite
def cards(draw: st.DrawFn) -> tuple[Scorecard, pa.Table]:
    """A scorecard of numbers and texts, and rows that hit its edges, specials and levels."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=lambda name: name.casefold()))
    features, columns = [], {}
    rows = draw(st.integers(1, 6))
    for name in names:
        concept = draw(NAMES)
        if draw(st.booleans()):
            levels = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
            features.append(Feature(name, concept, levels=tuple(levels)))
            values: Any = st.one_of(st.sampled_from(levels), TEXTS, st.none())
            columns[name] = pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), pa.string())
        else:
            edges = sorted(draw(st.sets(NUMBERS, max_size=4)))
            specials = draw(st.lists(NUMBERS, max_size=2, unique=True))
            features.append(Feature(name, concept, np.array(edges), None, tuple(specials)))
            values = st.one_of(VALUES, st.sampled_from([*edges, *specials, 0.0]))
            columns[name] = pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), pa.float64())
    tables = [draw(st.lists(TABLE, min_size=feature.size, max_size=feature.size)) for feature in features]
    return card_of(features, tables), pa.table(columns)


@settings(max_examples=80, deadline=None)
@given(cards())
def test_any_scorecard_scores_alike_in_sql_and_python(drawn: tuple[Scorecard, pa.Table]) -> None:
    card, table = drawn
    columns = frame(table)
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(to_python(card), "exported.py", "exec"), names)  # noqa: S102
    rows = table.to_pylist()
    assert [names["log_odds"](row) for row in rows] == card.log_odds(columns).tolist()
    assert [names["score"](row) for row in rows] == card.score(columns).tolist()
    found = reasons(card, table)
    assert [[(concept, lost) for concept, lost, _ in names["reasons"](row)] for row in rows] == [
        found.of(place) for place in range(len(rows))
    ]
    with duckdb.connect() as connection:
        connection.register("given", table)
        connection.execute("CREATE TABLE applications AS SELECT * FROM given")
        answer = connection.sql(to_sql(card)).fetchall()
        assert connection.sql("SELECT count(*) FROM applications").fetchall() == [(len(rows),)]
    assert sorted(row[:2] for row in answer) == sorted(
        zip(card.log_odds(columns).tolist(), card.score(columns).tolist(), strict=True)
    )


@settings(max_examples=80, deadline=None)
@given(cards(), st.sampled_from(["en", "zh"]), st.sampled_from([".csv", ".xlsx"]))
def test_any_scorecard_is_read_as_it_was_written(drawn: tuple[Scorecard, pa.Table], language: str, suffix: str) -> None:
    card, table = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"card{suffix}"
        write_card(card, path, language)
        found = read_scorecard(path)
    assert [(one.name, one.concept, one.levels) for one in found.features] == [
        (one.name, one.concept, one.levels) for one in card.features
    ]
    for ours, theirs in zip(card.features, found.features, strict=True):
        assert theirs.edges.tolist() == ours.edges.tolist()
        assert theirs.specials == ours.specials
    assert found.score(frame(table)).tolist() == card.score(frame(table)).tolist()


@given(st.sets(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6), st.sampled_from(["en", "zh"]))
def test_the_words_of_a_bin_say_its_values(edges: set[float], language: str) -> None:
    closed = {math.nextafter(edge, math.inf) for edge in edges} - {math.inf}
    for some in (sorted(edges), sorted(closed)):
        bounds = [-math.inf, *some, math.inf]
        *bins, missing = (parsed(text) for text in bin_texts(Feature("x", "x", np.array(some)), language))
        assert bins == [[("range", low, high)] for low, high in pairwise(bounds)]
        assert missing == [("missing",)]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_reasons_are_the_rows_own(seed: int, most: int) -> None:
    card = random_card(seed, features=7, pairs=3)
    rng = np.random.default_rng(seed)
    table = pa.table(
        {
            feature.name: rng.normal(size=20) if feature.levels is None else rng.choice([*feature.levels, "new"], 20)
            for feature in card.features
        }
    )
    found = reasons(card, table, most)
    order = rng.permutation(20)
    moved = reasons(card, table.take(pa.array(order)).append_column("one", pa.array([1] * 20)), most)
    _, points = card.contributions(frame(table))
    for row, place in enumerate(order):
        assert moved.of(row) == found.of(place)
        lost = [cost for _, cost in found.of(place)]
        assert lost == sorted(points[place][points[place] < 0].tolist())[:most]
        assert len({concept for concept, _ in found.of(place)}) == len(lost)

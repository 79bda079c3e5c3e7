"""A scorecard that left: its SELECT and its Python file score every row as the scorecard does, to the last bit."""

import ast
import csv
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.scoring.export import to_python, to_sql
from evenkeel.scoring.frame import frame, is_text, numbers
from evenkeel.scoring.reasons import reasons
from evenkeel.scoring.scorecard import Feature, Scaling, Scorecard
from evenkeel.storage import homes
from evenkeel.storage.workspace import Workspace, open_workspace
from scorecards import card_of, random_card, rows_for


def in_duckdb(card: Scorecard, table: pa.Table, **how: Any) -> pa.Table:
    """The answer of the SELECT in the order of the rows."""
    with duckdb.connect() as connection:
        connection.register("given", table.append_column("row number", pa.array(range(table.num_rows))))
        connection.execute("CREATE TABLE applications AS SELECT * FROM given")
        answer = connection.sql(to_sql(card, keep=["row number"], **how)).order('"row number"')
        return answer.to_arrow_table()


def in_python(card: Scorecard) -> dict[str, Any]:
    """The names that the exported file defines."""
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(to_python(card), "exported.py", "exec"), names)  # noqa: S102
    return names


def assert_equal(card: Scorecard, table: pa.Table, found: Mapping[str, Any]) -> None:
    """ln odds and score are equal, not close; the probability to the last digits of exp."""
    columns = frame(table)
    np.testing.assert_array_equal(np.array(found["log_odds"], np.float64), card.log_odds(columns))
    np.testing.assert_array_equal(np.array(found["score"], np.float64), card.score(columns))
    np.testing.assert_allclose(np.array(found["p"], np.float64), card.probability(columns), rtol=1e-13)


def python_scores(card: Scorecard, rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    names = in_python(card)
    functions = {"log_odds": "log_odds", "score": "score", "p": "probability"}
    return {title: [names[function](row) for row in rows] for title, function in functions.items()}


@pytest.mark.parametrize("seed", range(8))
def test_sql_and_python_score_every_row_as_the_scorecard_does(seed: int) -> None:
    card = random_card(seed, features=7, bins=[1, 2, 5, 40][seed % 4], pairs=seed)
    table = rows_for(card, 3000, seed)
    assert_equal(card, table, in_duckdb(card, table).to_pydict())
    assert_equal(card, table, python_scores(card, table.to_pylist()))


def test_every_edge_is_read_as_the_same_number(seed: int = 3) -> None:
    edges = np.unique(np.random.default_rng(seed).normal(size=2000) * 10.0 ** np.arange(-300, 300, 0.3)[:2000])
    card = card_of([Feature("x", "x", edges)], [np.arange(len(edges) + 2) / 64])
    around = [edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)]
    table = pa.table({"x": np.concatenate(around)})
    assert_equal(card, table, in_duckdb(card, table).to_pydict())
    assert_equal(card, table, python_scores(card, table.to_pylist()))


def odd_columns() -> tuple[Scorecard, pa.Table]:
    """Columns of every type that a table may have."""
    days = [date(1969, 12, 31), date(2024, 2, 29), None, date(1970, 1, 1)]
    told = ["2024-02-29T12:30:00", None, "1969-12-31T23:59:59.999999", "2030-01-01T00:00:00"]
    moments = [moment and datetime.fromisoformat(moment) for moment in told]
    instants = [moment and moment.replace(tzinfo=UTC) for moment in moments]
    table = pa.table(
        {
            "whole": pa.array([2**53 + 1, -(2**63), None, 7], pa.int64()),
            "small": pa.array([1, None, 200, 0], pa.uint8()),
            "single": pa.array([0.1, 0.2, None, np.nan], pa.float32()),
            "day": pa.array(days, pa.date32()),
            "moment": pa.array(moments, pa.timestamp("us")),
            "instant": pa.array(instants, pa.timestamp("us", "UTC")),
            "flag": pa.array([True, False, None, True]),
            "nothing": pa.array([None] * 4, pa.float64()),
            "kind": pa.array(["a", "b", None, "c"]).dictionary_encode(),
        }
    )  # fmt: skip
    features = [Feature("kind", "kind", levels=("a", "b"))]
    for name in ("whole", "small", "single", "day", "moment", "instant", "flag", "nothing"):
        edges = {"small": [1.0], "flag": [1.0], "nothing": [0.0], "whole": [7.0, 2.0**53]}.get(name)
        if edges is None:
            known = numbers(frame(table)[name])
            edges = np.unique(known[~np.isnan(known)]).tolist()
        features.append(Feature(name, name, np.array(edges), None, (0.0,) if name in ("small", "day") else ()))
    rng = np.random.default_rng(5)
    return card_of(features, [rng.normal(size=feature.size) for feature in features]), table


def test_every_type_of_column_counts_as_the_frame_counts_it() -> None:
    card, table = odd_columns()
    assert_equal(card, table, in_duckdb(card, table, dates=["day", "moment", "instant"], flags=["flag"]).to_pydict())
    assert_equal(card, table, python_scores(card, table.to_pylist()))


def test_an_extreme_card_has_probabilities_and_no_overflow() -> None:
    card = card_of([Feature("x", "x", np.array([0.0, 1.0]))], [[-5000.0, 5000.0, 30.0, 0.0]])
    table = pa.table({"x": [-1.0, 0.5, 2.0, None]})
    found = in_duckdb(card, table).to_pydict()
    assert found["p"] == pytest.approx([0.0, 1.0, 1.0, 0.1192029], abs=1e-7)
    assert python_scores(card, table.to_pylist())["p"] == pytest.approx(found["p"], abs=1e-15)


def test_of_equal_special_values_the_last_counts_everywhere() -> None:
    card = card_of([Feature("x", "x", specials=(0.0, 5.0, -0.0))], [[0, 1, 2, 3, 4]])
    table = pa.table({"x": [0.0, -0.0, 5.0, 1.0]})
    assert card.log_odds(frame(table)).tolist() == [1, 1, 0, -2]
    assert_equal(card, table, in_duckdb(card, table).to_pydict())
    assert_equal(card, table, python_scores(card, table.to_pylist()))


def test_a_scorecard_without_features_still_scores_every_row() -> None:
    card, table = card_of([], []), pa.table({"x": [1, 2]})
    assert in_duckdb(card, table)["log_odds"].to_pylist() == [-2.0, -2.0]
    assert python_scores(card, table.to_pylist())["log_odds"] == [-2.0, -2.0]


def test_a_thousand_features_and_large_pairs_run() -> None:
    card = random_card(1, features=1100, bins=3, pairs=20)
    table = rows_for(card, 20)
    assert_equal(card, table, in_duckdb(card, table).to_pydict())
    assert_equal(card, table, python_scores(card, table.to_pylist()))


HOSTILE = [
    'a" FROM applications; DROP TABLE applications; --', "b'; DROP TABLE applications; --", "c\\",
    "d\n\"\"\"\nimport os",
    "log_odds", "指标", "c0", "{0}%s$1", "t", "x0", "\u2028", "\U0001f600", "\\'); --",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_hostile_names_and_levels_are_names_and_levels(seed: int) -> None:
    card = random_card(seed, names=HOSTILE, levels=[*HOSTILE, "z\0z", "E'"], pairs=6)
    table = rows_for(card, 500, seed)
    assert_equal(card, table, in_duckdb(card, table).to_pydict())
    assert_equal(card, table, python_scores(card, table.to_pylist()))
    assert to_python(card).isascii()


def test_real_applications_score_alike(shared: Path) -> None:
    table = pq.read_table(shared / "data" / "german_1000.parquet")
    columns = frame(table)
    features = []
    for name in columns.column_names:
        if is_text(columns[name]):
            levels = sorted(level for level in set(columns[name].to_pylist()) if level is not None)
            features.append(Feature(name, name, levels=tuple(levels[:-1])))
        else:
            values = numbers(columns[name])
            features.append(Feature(name, name, np.unique(np.nanquantile(values, [0.2, 0.4, 0.6, 0.8]))))
    rng = np.random.default_rng(0)
    card = card_of(features, [rng.normal(size=feature.size) for feature in features], scaling=Scaling(700, 20, 50))
    assert_equal(card, table, in_duckdb(card, table).to_pydict())
    assert_equal(card, table, python_scores(card, table.to_pylist()))


def test_what_cannot_be_said_in_sql_is_refused() -> None:
    card = random_card(0)
    with pytest.raises(InvalidUsage, match="duckdb, postgres"):
        to_sql(card, dialect="oracle")
    for keep in (["id", "ID"], ["Score"]):
        with pytest.raises(InvalidUsage, match="twice"):
            to_sql(card, keep=keep)
    with pytest.raises(InvalidUsage, match="no name in SQL"):
        to_sql(card, table="a..b")
    with pytest.raises(InvalidUsage, match="no name in SQL"):
        to_sql(card_of([Feature("a\0", "a")], [[0, 0]]))
    with pytest.raises(InvalidInput, match="half a character"):
        to_python(card_of([Feature("a\ud800", "a")], [[0, 0]]))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE applications AS SELECT DATE '2024-02-29' AS x")
        with pytest.raises(duckdb.Error):  # a date that is not called one
            connection.sql(to_sql(card_of([Feature("x", "x")], [[0, 0]]))).fetchall()


def test_a_table_of_a_schema_is_named_with_a_dot() -> None:
    with duckdb.connect() as connection:
        connection.execute('CREATE SCHEMA "risk"; CREATE TABLE risk."new ones" AS SELECT 1 AS x')
        card = card_of([Feature("x", "x", np.array([0.5]))], [[0, 1, 0]])
        assert connection.sql(to_sql(card, "risk.new ones")).fetchall()[0][0] == -1.0


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[Workspace]:
    """A server of this module; it ends with it."""
    place = Path(tempfile.mkdtemp(prefix="evenkeel-test-")) / "workspace"
    with open_workspace(place, database_url=None, clock=fixed_clock(datetime(2026, 3, 1, tzinfo=UTC))) as opened:
        yield opened
    home = homes.home_of(place.resolve())
    shutil.rmtree(place.parent)
    if home.parent == homes.SYSTEM_FOLDER:
        shutil.rmtree(home, ignore_errors=True)


def in_postgres(server: Workspace, card: Scorecard, table: pa.Table, types: Mapping[str, str], **how: Any) -> Any:
    """The answer of the SELECT over a temporary table of these rows."""
    kept = {feature.name for feature in card.features}
    table = table.select([name for name in table.column_names if name in kept])
    quoted = ['"' + name.replace('"', '""') + '"' for name in table.column_names]
    columns = ", ".join(
        f"{title} {types.get(name, 'TEXT' if is_text(frame(table)[name]) else 'DOUBLE PRECISION')}"
        for name, title in zip(table.column_names, quoted, strict=True)
    )
    with server.engine.connect() as connection:
        raw = connection.connection.cursor()
        raw.execute("SET TIME ZONE 'Asia/Shanghai'")
        raw.execute(f"CREATE TEMP TABLE applications (row_number INT, {columns})")
        with raw.copy("COPY applications FROM STDIN") as copy:
            for number, row in enumerate(table.to_pylist()):
                copy.write_row([number, *row.values()])
        raw.execute(to_sql(card, dialect="postgres", keep=["row_number"], **how) + "ORDER BY row_number")
        rows = raw.fetchall()
        connection.rollback()
    return {"log_odds": [row[1] for row in rows], "score": [row[2] for row in rows], "p": [row[3] for row in rows]}


@pytest.mark.parametrize("seed", range(3))
def test_postgresql_scores_every_row_as_the_scorecard_does(postgres: Workspace, seed: int) -> None:
    card = random_card(seed, names=HOSTILE, levels=[*HOSTILE, "z\0z", "E'", "\\\\"], pairs=6, bins=30)
    table = rows_for(card, 400, seed)
    for place, column in enumerate(table.columns):
        if is_text(column):  # such a text cannot be in its tables
            values = [value if value != "z\0z" else None for value in column.to_pylist()]
            table = table.set_column(place, table.column_names[place], pa.array(values, pa.string()))
    assert_equal(card, table, in_postgres(postgres, card, table, {}))


def test_postgresql_reads_every_type_and_has_no_overflow(postgres: Workspace) -> None:
    card, table = odd_columns()
    types = {"whole": "BIGINT", "small": "SMALLINT", "single": "REAL", "day": "DATE", "moment": "TIMESTAMP",
             "instant": "TIMESTAMPTZ", "flag": "BOOLEAN"}  # fmt: skip
    found = in_postgres(postgres, card, table, types, dates=["day", "moment", "instant"], flags=["flag"])
    assert_equal(card, table, found)
    steep = card_of([Feature("x", "x", np.array([0.0]))], [[-5000.0, 5000.0, 0.0]])
    ends = in_postgres(postgres, steep, pa.table({"x": [-1.0, 1.0, np.inf, None]}), {})
    assert ends["p"] == pytest.approx([0.0, 1.0, 1.0, 0.1192029], abs=1e-7)


def test_postgresql_reads_backslashes_as_they_are_whatever_its_setting(postgres: Workspace) -> None:
    card = card_of([Feature("x", "x", levels=("\\' OR true --", "\\"))], [[1, 2, 3, 4]])
    with postgres.engine.connect() as connection:
        connection.execute(sa.text("CREATE TEMP TABLE applications AS SELECT chr(92) AS x"))
        connection.execute(sa.text("SET LOCAL standard_conforming_strings = off"))
        raw = connection.connection.cursor()
        raw.execute(to_sql(card, dialect="postgres"))
        assert raw.fetchone()[0] == 0.0
        connection.rollback()


# --- the Python file --------------------------------------------------------------------------------------------------


def run(tmp_path: Path, card: Scorecard, text: str) -> "subprocess.CompletedProcess[str]":
    """The file from a shell, without this project or any other package in reach."""
    (tmp_path / "card.py").write_text(to_python(card), encoding="ascii")
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", "-S", "card.py", "in.csv"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False)


def test_the_file_needs_python_38_and_the_standard_library_alone() -> None:
    tree = ast.parse(to_python(random_card(2, names=HOSTILE)), feature_version=(3, 8))
    modules = [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    modules += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert set(modules) == {"csv", "math", "sys", "bisect", "datetime"}


def test_a_csv_goes_in_and_scores_come_out(tmp_path: Path) -> None:
    features = [
        Feature("金额", "amount", np.array([0.1, 20.0]), None, (-9.0,)),
        Feature("kind", "kind", levels=("a", "乙")),
    ]
    card = card_of(features, [[0.5, -0.25, 1.0, 2.0, 3.0], [1.5, -1.0, 0.25, 4.0]])
    finished = run(tmp_path, card, "id,金额,kind\n1,0.1,乙\n2,,\n3,-9,a\n4,1e308,never seen\n5,nan,a\n")
    assert finished.returncode == 0, finished.stderr
    rows = list(csv.DictReader(io.StringIO(finished.stdout)))
    table = {"金额": [0.1, None, -9, 1e308, None], "kind": ["乙", None, "a", "never seen", "a"]}
    assert [row["id"] for row in rows] == list("12345")
    columns = frame(table)
    for title, values in (("log_odds", card.log_odds(columns)), ("score", card.score(columns))):
        assert [float(row[title]) for row in rows] == values.tolist()
    assert [float(row["p"]) for row in rows] == pytest.approx(card.probability(columns).tolist(), rel=1e-13)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y\n1,2\n", "'kind'"),
        ("x,kind\n1,a\n3 apples,a\n", "line 3: column 'x' holds '3 apples', which is no number"),
    ],
)
def test_a_csv_at_fault_is_named(tmp_path: Path, text: str, said: str) -> None:
    card = card_of([Feature("x", "x"), Feature("kind", "kind", levels=("a",))], [[0, 0], [0, 0, 0]])
    finished = run(tmp_path, card, text)
    assert finished.returncode == 1
    assert said in finished.stderr and "Traceback" not in finished.stderr


def test_a_file_that_is_no_csv_in_utf_8_is_named(tmp_path: Path) -> None:
    card = card_of([Feature("x", "x")], [[0, 0]])
    for text, said in ((None, "No such file"), ("x\n收入\n".encode("gb18030"), "not in UTF-8")):
        run(tmp_path, card, "x\n1\n")
        (tmp_path / "in.csv").write_bytes(text) if text else (tmp_path / "in.csv").unlink()
        command = [sys.executable, "-I", "-S", "card.py", "in.csv"]
        finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert finished.returncode == 1 and said in finished.stderr and "Traceback" not in finished.stderr


def test_values_given_as_text_and_missing_ones_are_read() -> None:
    card = card_of([Feature("x", "x", np.array([0.0, 19000.0]))], [[1, 2, 3, 4]])
    log_odds = in_python(card)["log_odds"]
    assert [log_odds({"x": value}) for value in (None, float("nan"), "", "nan")] == [2.0] * 4
    assert [log_odds({"x": value}) for value in ("-1", " 7 ", 7, np.float64(7), "1e5", "inf")] == [-1, 0, 0, 0, 1, 1]
    assert [log_odds({"x": value}) for value in ("2024-02-29", date(2024, 2, 29), "1970-01-01 12:00")] == [1, 1, 0]
    for value in ("3 apples", [], object()):
        with pytest.raises((TypeError, ValueError), match="'x' holds"):
            log_odds({"x": value})
    with pytest.raises(KeyError, match="x"):
        log_odds({})
    texts = in_python(card_of([Feature("k", "k", levels=("1",))], [[1, 2, 3]]))["log_odds"]
    assert [texts({"k": value}) for value in ("1", "2", None, float("nan"))] == [-1, 0, 1, 1]
    with pytest.raises(TypeError, match="which is no text"):
        texts({"k": 1})


def test_the_file_gives_the_same_reasons_in_both_languages() -> None:
    card = random_card(4, features=9, pairs=5)
    table = rows_for(card, 200)
    names, found = in_python(card), reasons(card, table)
    for number, row in enumerate(table.to_pylist()):
        assert [(concept, points) for concept, points, _ in names["reasons"](row)] == found.of(number)
        assert names["score"](row) == card.base_points + sum(names["contributions"](row))
    row = table.slice(0, 1).to_pylist()[0]
    assert names["reasons"](row, language="zh")[0][2] != names["reasons"](row)[0][2]
    assert names["VERSION"] == card.version

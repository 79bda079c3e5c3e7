"""The batch of features on more engines than DuckDB: the same expressions give the same values.

Counts and sums in minor units are equal to the bit; ratios and means within 1e-12. What is not installed is skipped.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pytest
from test_parity import EVERY, OWN, SHIPPED, T0, history, table

from evenkeel.behaviour.batch import event_values, event_values_by
from evenkeel.behaviour.definitions import Entity, read_definitions
from evenkeel.behaviour.windows import DAY

Put = Callable[[str, Any], Any]


def sqlite(folder: Path) -> Put:
    connection = ibis.sqlite.connect(folder / "values.db")
    return lambda name, given: connection.create_table(name, given, overwrite=True)


def pyspark(folder: Path) -> Put:
    session = import_module("pyspark.sql").SparkSession.builder.master("local[1]")
    for name, value in {
        "spark.sql.warehouse.dir": str(folder / "warehouse"), "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1", "spark.sql.session.timeZone": "UTC", "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder}",
    }.items():  # fmt: skip
        session = session.config(name, value)
    running = session.getOrCreate()
    connection = ibis.pyspark.connect(running)

    def put(name: str, given: Any) -> Any:
        if not isinstance(given, pa.Table):
            return connection.create_table(name, given, overwrite=True)
        running.createDataFrame(given).createOrReplaceTempView(name)  # through pandas nulls would be NaN
        return connection.table(name)

    return put


ENGINES: dict[str, Callable[[Path], Put]] = {"sqlite": sqlite, "pyspark": pyspark}
NEEDS = {"sqlite": ("pandas",), "pyspark": ("pandas", "pyspark")}  # Ibis speaks to both through pandas


def columns(values: pa.Table, names: list[str]) -> np.ndarray:
    return np.column_stack([values[name].to_numpy(zero_copy_only=False).astype(float) for name in names])


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("pyspark", marks=pytest.mark.prove)])
@pytest.mark.parametrize("text", [EVERY, SHIPPED], ids=["every", "shipped"])
def test_an_engine_says_what_duckdb_says(engine: str, text: str, tmp_path: Path) -> None:
    if missing := [name for name in NEEDS[engine] if find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}; `pip install evenkeel[spark]` brings them")
    rng = random.Random(11)
    definitions = read_definitions(text)
    owners = {f"b{place}": history(rng, f"b{place}", 40, 400 * DAY) for place in range(8)}
    every = table([(owner, event) for owner, events in owners.items() for event in events])
    asked = [(owner, T0 - rng.randint(0, 9 * DAY), T0 - rng.randint(0, 50 * DAY)) for owner in owners for _ in range(3)]
    wanted = pa.table([pa.array(column) for column in zip(*asked, strict=True)], ["entity", "at", "known_at"])
    expected = event_values(every, wanted, definitions, Entity.BORROWER, 1, OWN)
    found = event_values_by(ENGINES[engine](tmp_path), every, wanted, definitions, Entity.BORROWER, OWN)
    names = expected.column_names[3:]
    assert found.column_names == expected.column_names
    here, there = columns(found, names), columns(expected, names)
    whole = np.array([bool(np.all(np.isnan(column) | (column == np.round(column)))) for column in there.T])
    wrong = ~((here == there) | (np.isnan(here) & np.isnan(there))) & whole
    assert not wrong.any(), [(names[j], here[i, j], there[i, j]) for i, j in np.argwhere(wrong)][:20]
    assert np.array_equal(np.isnan(here), np.isnan(there))
    assert np.nanmax(np.abs(here - there) / np.maximum(np.abs(there), 1e-300), initial=0) <= 1e-12
    assert whole.any() and (~np.isnan(there)).any(axis=0).mean() > 0.5

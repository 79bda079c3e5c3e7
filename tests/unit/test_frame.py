"""Any table in, numbers and texts out; what is neither is named."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.frame import frame, is_text, numbers

NAN = float("nan")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, None, 3], [1.0, None, 3.0]),
        ((1, 2), [1.0, 2.0]),
        (range(2), [0.0, 1.0]),
        ([1.5, NAN, None], [1.5, None, None]),
        ([True, None, False], [1.0, None, 0.0]),
        (np.array([True, None], object), [1.0, None]),
        (np.array([1.5, np.nan], np.float16), [1.5, None]),
        (np.array([1.5, np.nan], np.longdouble), [1.5, None]),
        (np.array([1, 2], ">i4"), [1.0, 2.0]),
        (np.array([1.5, 2.5], ">f8"), [1.5, 2.5]),
        (np.arange(6.0)[::3], [0.0, 3.0]),
        (np.ma.array([1.0, 2.0], mask=[False, True]), [1.0, None]),
        (np.array([200], np.uint8), [200.0]),
        (np.array([2**64 - 1], np.uint64), [2.0**64]),
        ([float("inf"), float("-inf"), 1e308], [float("inf"), float("-inf"), 1e308]),
        ([Decimal("1.25"), None], [1.25, None]),
        (pa.array([Decimal("1.25")], pa.decimal256(50, 2)), [1.25]),
        ([date(1970, 1, 2), None], [1.0, None]),
        ([date(9999, 12, 31), date(1, 1, 1)], [2932896.0, -719162.0]),
        (pa.array([date(9999, 12, 31)]), [2932896.0]),
        ([datetime(1970, 1, 2, 12)], [1.5]),  # noqa: DTZ001
        (pa.array([datetime(1970, 1, 2, 12, tzinfo=UTC), None]), [1.5, None]),
        (np.array(["1970-01-02", "NaT"], "M8[D]"), [1.0, None]),
        (np.array(["1970-01-02T12", "NaT"], "M8[ns]"), [1.5, None]),
        ([None, None], [None, None]),
        (pa.array([7, None]).dictionary_encode(), [7.0, None]),
        (pa.array([date(1970, 1, 2)]).dictionary_encode(), [1.0]),
        (pa.chunked_array([[1], [None]]), [1.0, None]),
    ],
)
def test_numbers_flags_and_dates_become_float64(given: Any, expected: list[float | None]) -> None:
    column = frame({"x": given})["x"]
    assert column.type == pa.float64()
    assert column.to_pylist() == expected
    np.testing.assert_array_equal(numbers(column), np.array([NAN if value is None else value for value in expected]))


@pytest.mark.parametrize(
    "given",
    [
        ["a", None, "", "坏"],
        np.array(["a", np.nan, None, "坏"], object),
        np.ma.array(["a", "b", "c", "坏"], mask=[0, 1, 1, 0]),
        np.array(["a", "", "", "坏"]),
        pa.array(["a", None, "", "坏"]).dictionary_encode(),
        pa.array(["a", None, "", "坏"], pa.large_string()),
        pa.array(["a", None, "", "坏"], pa.string_view()),
        pa.array(["a", None, "", "坏"], pa.large_string()).dictionary_encode(),
    ],
)
def test_texts_and_categories_become_texts_and_the_empty_one_is_not_known(given: Any) -> None:
    column = frame({"x": given})["x"]
    assert is_text(column)
    assert column.to_pylist() == ["a", None, None, "坏"]


class Pandas:
    """A table that has `iloc` and `columns`, as of pandas, with an index of no interest."""

    def __init__(self, columns: dict[Any, np.ndarray]) -> None:
        self.columns, self._values = list(columns), list(columns.values())

    @property
    def iloc(self) -> Any:
        outer = self

        class Rows:
            def __getitem__(self, at: tuple[slice, int]) -> np.ndarray:
                return outer._values[at[1]]

        return Rows()


class Stream:
    """A table that only offers Arrow's C stream, as of Polars and DuckDB."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


TABLE = pa.table({"a": [1.0, 2.0], "b": ["u", None]})


@pytest.mark.parametrize(
    "given",
    [
        TABLE,
        TABLE.to_batches()[0],
        Stream(TABLE),
        {"a": [1, 2], "b": ["u", ""]},
        Pandas({"a": np.array([1, 2]), "b": np.array(["u", None], object)}),
    ],
)
def test_tables_of_every_kind_are_one_table(given: Any) -> None:
    assert frame(given).equals(TABLE)
    assert frame(frame(given)).equals(TABLE)


def test_the_columns_of_an_array_are_numbered() -> None:
    assert frame(np.array([[1, 2], [3, 4]])).to_pydict() == {"x0": [1.0, 3.0], "x1": [2.0, 4.0]}
    assert frame([[1, "a"], [None, "b"]]).to_pydict() == {"x0": [1.0, None], "x1": ["a", "b"]}
    assert frame(np.empty((0, 2))).to_pydict() == {"x0": [], "x1": []}


@pytest.mark.parametrize("mixed", [[1, "a"], ["a", 1], np.array(["a", 1], object), np.array([1, "a"], object)])
def test_a_column_of_numbers_and_texts_is_named(mixed: Any) -> None:
    with pytest.raises(InvalidInput, match=r"column `income` cannot be read.*Make it all numbers, or all texts"):
        frame({"age": [1, 2], "income": mixed})
    with pytest.raises(InvalidInput, match="column `income` cannot be read"):
        frame(Pandas({"age": np.zeros(2), "income": np.array(mixed, object)}))


@pytest.mark.parametrize(
    "given",
    [
        [[1, 2], [3]], [{"a": 1}], [b"a"], [timedelta(1)], [time(1)], np.array([1j]), [2**70], np.zeros((2, 2)), 3,
        "abc",
        [object()], ["\ud800"], pc.run_end_encode(pa.array([1, 1])), (value for value in (1, 2)),
    ],
)  # fmt: skip
def test_what_is_no_number_date_or_text_is_named(given: Any) -> None:
    with pytest.raises(InvalidInput, match="column `odd`"):
        frame({"odd": given})


@pytest.mark.parametrize(
    "given",
    [
        pa.table([pa.array([1]), pa.array([2])], ["a", "a"]),
        Pandas({1: np.ones(1), "1": np.ones(1)}),
        {1: [1.0], "1": [2.0]},
    ],
)
def test_a_name_that_stands_twice_is_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match="stands twice"):
        frame(given)


def test_columns_of_different_length_are_named() -> None:
    with pytest.raises(InvalidInput, match="column `b` has 3 values, column `a` 2"):
        frame({"a": [1, 2], "b": [1, 2, 3]})


@pytest.mark.parametrize("given", [None, 3, "text", np.zeros(3), np.zeros((2, 2, 2)), [1, 2], [[1, 2], [3]]])
def test_what_is_no_table_is_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match="a table of rows and columns is wanted"):
        frame(given)

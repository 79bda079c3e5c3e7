"""A day's assignment of treatments, read for the worklist."""

from __future__ import annotations

from typing import Any

from evenkeel.kernel.errors import InvalidInput


def assigned_of(table: Any) -> dict[str, tuple[str, float]]:
    """Treatment and value over doing nothing, by borrower, from a table as `evenkeel arrears assign` writes it:
    borrower_id, treatment, and value_minor or value (minor units). Of several rows of a borrower the best counts.

    A row without a borrower, a treatment or a value says nothing. Raises InvalidInput where a column is missing.
    """
    value = next((name for name in ("value_minor", "value") if name in table.column_names), None)
    missing = [name for name in ("borrower_id", "treatment") if name not in table.column_names]
    if missing or value is None:
        raise InvalidInput(
            f"The assignment lacks `{(missing or ['value_minor'])[0]}`.", "Give what `evenkeel arrears assign` wrote."
        )
    found: dict[str, tuple[str, float]] = {}
    columns = (table[name].to_pylist() for name in ("borrower_id", "treatment", value))
    for borrower, treatment, worth in zip(*columns, strict=True):
        if borrower is None or treatment is None or not isinstance(worth, int | float) or worth != worth:
            continue
        if str(borrower) not in found or worth > found[str(borrower)][1]:
            found[str(borrower)] = (str(treatment), float(worth))
    return found

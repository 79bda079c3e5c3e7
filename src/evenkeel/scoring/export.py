"""A scorecard leaves: as one SELECT, and as a Python file that needs nothing but Python. Both score as it does here.

Both turn a value into the same code and add the same table entries, which are exact in any order (scorecard.py), so
that ln odds and score are equal on every row, not close. Names and levels enter as quoted literals only.
"""

from __future__ import annotations

import json
import pprint
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import LANGUAGES
from evenkeel.scoring.reasons import sentence
from evenkeel.scoring.scorecard import Feature, FloatArray, Pair, Scorecard

_TERMS = 20  # of a sum in one bracket: engines limit how deep an expression nests
_STEEPEST = 700.0  # ln odds beyond which exp leaves float64; the probability is 0 or 1 to 300 digits


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What two engines write in different words."""

    double: str
    integer: str
    text: str
    days: str  # days since 1970-01-01, with their fraction, of a date or an instant
    array: str
    barrier: str  # keeps an engine from working out a code again wherever it is used
    zero_in_text: bool  # whether texts may hold the character 0


_DIALECTS = {
    "duckdb": _Dialect(
        "DOUBLE", "INTEGER", "VARCHAR", "CAST(epoch_us({}) AS DOUBLE) / 86400000000.0e0",
        "[{}]", "", True,
    ),
    "postgres": _Dialect(
        "DOUBLE PRECISION", "INTEGER", "TEXT",
        "CAST(extract(epoch FROM {}) * 1000000 AS DOUBLE PRECISION) / 86400000000.0e0",
        "ARRAY[{}]", "\n  OFFSET 0", False,
    ),
}  # fmt: skip


def to_sql(
    card: Scorecard,
    table: str = "applications",
    dialect: str = "duckdb",
    *,
    keep: Sequence[str] = (),
    dates: Collection[str] = (),
    flags: Collection[str] = (),
) -> str:
    """One SELECT that gives log_odds (of the bad), score and p (of the bad) for every row of a table.

    table: its name, with its schema before a dot if need be. dialect: duckdb or postgres. keep: columns of the table
    that stand before the three, such as a key. dates: columns that hold dates or instants, which count as days, as in
    `frame`; flags: those of true and false. A column of another kind than the model's is refused by the engine.
    Raises InvalidUsage on another dialect and on kept columns whose names are taken or doubled.
    """
    if dialect not in _DIALECTS:
        raise InvalidUsage(f"there is no SQL for {dialect!r}.", f"Choose from {', '.join(_DIALECTS)}.")
    taken = {"log_odds", "score", "p"}
    if len({name.lower() for name in keep} - taken) < len(keep):
        raise InvalidUsage("a kept column stands twice, or is called log_odds, score or p.", "Rename it in a view.")
    words = _DIALECTS[dialect]
    source = ".".join(_name(part) for part in table.split("."))
    columns = [f"t.{_name(name)} AS k{place}" for place, name in enumerate(keep)]
    columns += [f"{_value(feature, words, dates, flags)} AS x{place}" for place, feature in enumerate(card.features)]
    kept = [f"k{place}" for place in range(len(keep))]
    codes = [f"{_code(feature, f'x{place}', words)} AS c{place}" for place, feature in enumerate(card.features)]
    cells = [f"{_cell(pair, words)} AS q{place}" for place, pair in enumerate(card.pairs)]
    known = [f"c{place}" for place in range(len(card.features))]
    log_odds = _total(card.intercept, card.tables, [pair.values for pair in card.pairs], words)
    score = _total(card.base_points, card.points, card.pair_points, words)
    final = [f"k{place} AS {_name(name)}" for place, name in enumerate(keep)] + ["log_odds", "score", _probability()]
    steps = [
        ("features", columns or ["1"], f"{source} AS t"),
        ("codes", [*kept, *codes], "features"),
        ("cells", [*kept, *known, *cells], "codes"),
        ("sums", [*kept, f"{log_odds} AS log_odds", f"{score} AS score"], "cells"),
    ]
    # A scorecard without features still has its rows: something has to stand in a list of columns.
    text = ",\n".join(
        f"{name} AS (\n  SELECT\n    " + ",\n    ".join(listed or ["1"]) + f"\n  FROM {origin}{words.barrier}\n)"
        for name, listed, origin in steps
    )
    return f"WITH {text}\nSELECT\n  " + ",\n  ".join(final) + "\nFROM sums\n"


def _name(name: str) -> str:
    """A quoted identifier."""
    if "\0" in name or not name:
        raise InvalidUsage(f"{name!r} can be no name in SQL.", "Rename the column or the table.")
    return '"' + name.replace('"', '""') + '"'


def _text(value: str, words: _Dialect) -> str | None:
    """A quoted text, or None where the engine's texts cannot hold it, so that no row can match it."""
    if "\0" in value:
        parts = [_text(part, words) for part in value.split("\0")]
        return "(" + " || chr(0) || ".join(str(part) for part in parts) + ")" if words.zero_in_text else None
    quoted = "'" + value.replace("'", "''") + "'"
    if "\\" in value and not words.zero_in_text:
        return "E" + quoted.replace("\\", "\\\\")  # the same text whatever standard_conforming_strings says
    return quoted


def _number(value: float) -> str:
    """A literal of exactly this float64: with an exponent, or engines take it for a decimal."""
    text = repr(float(value))
    if text in ("inf", "-inf"):
        return f"CAST('{text.replace('inf', 'Infinity')}' AS DOUBLE PRECISION)"
    return text if "e" in text else f"{text}e0"


def _value(feature: Feature, words: _Dialect, dates: Collection[str], flags: Collection[str]) -> str:
    column = f"t.{_name(feature.name)}"
    if feature.levels is not None:
        return f"CAST({column} AS {words.text})"
    if feature.name in dates:
        column = words.days.format(column)
    elif feature.name in flags:
        column = f"CAST({column} AS {words.integer})"
    return f"CAST({column} AS {words.double})"


def _code(feature: Feature, value: str, words: _Dialect) -> str:
    """The code of a value, counted from 1 as engines count the places of an array."""
    missing = f"WHEN {value} IS NULL"
    if feature.levels is None:
        missing += f" OR {value} = CAST('NaN' AS {words.double})"  # equal to itself in both engines
    else:
        missing += f" OR {value} = ''"  # an empty text is not known, as in a frame
    branches = [f"{missing} THEN {feature.size}"]
    if feature.levels is None:
        # Of equal specials the last wins in `Feature.codes`; here the first branch does.
        specials = list(enumerate(feature.specials, feature.bins + 1))[::-1]
        branches += [f"WHEN {value} = {_number(special)} THEN {code}" for code, special in specials]
        branches += [f"WHEN {value} < {_number(edge)} THEN {code}" for code, edge in enumerate(feature.edges, 1)]
        rest = feature.bins
    else:
        texts = [(code, _text(level, words)) for code, level in enumerate(feature.levels, 1)]
        branches += [f"WHEN {value} = {text} THEN {code}" for code, text in texts if text is not None]
        rest = feature.bins + 1
    return "CASE\n      " + "\n      ".join([*branches, f"ELSE {rest}"]) + "\n    END"


def _array(entries: Iterable[str], place: str, kind: str, words: _Dialect) -> str:
    """The entry at a place, from 1. The array has a type of fixed width: engines find the place at once."""
    return f"(CAST({words.array.format(', '.join(entries))} AS {kind}[]))[{place}]"


def _cell(pair: Pair, words: _Dialect) -> str:
    """The place of a pair's cell among its values laid out row by row, from 1."""
    starts = (str(int(group) * pair.values.shape[1] + 1) for group in pair.first_groups)
    steps = (str(int(group)) for group in pair.second_groups)
    first = _array(starts, f"c{pair.first}", words.integer, words)
    return f"{first} + {_array(steps, f'c{pair.second}', words.integer, words)}"


def _total(start: float, tables: Sequence[FloatArray], pairs: Sequence[FloatArray], words: _Dialect) -> str:
    """The sum of one entry of each table, in brackets of a few terms each."""
    entries = [(table, f"c{place}") for place, table in enumerate(tables)]
    entries += [(values.ravel(), f"q{place}") for place, values in enumerate(pairs)]
    terms = [_number(start)]
    for values, place in entries:
        terms.append(_array(map(_number, values.tolist()), place, words.double, words))
    while len(terms) > _TERMS:
        terms = ["(" + "\n      + ".join(terms[at : at + _TERMS]) + ")" for at in range(0, len(terms), _TERMS)]
    return "\n      + ".join(terms)


def _probability() -> str:
    small = f"exp(-least(abs(log_odds), {_number(_STEEPEST)}))"
    return f"CASE WHEN log_odds >= 0 THEN 1 ELSE {small} END / (1 + {small}) AS p"


# --- a Python file ----------------------------------------------------------------------------------------------------


def to_python(card: Scorecard) -> str:
    """The source of a Python file (3.8 and later, standard library only) that scores as `card` does.

    It has score(row), log_odds(row), probability(row) and reasons(row) for a dict of a row, and a command line that
    reads a CSV and writes it with the three beside it. Texts of the row may be numbers; None, NaN and, for a number,
    an empty text are missing.
    """
    for feature in card.features:
        if any("\ud800" <= letter <= "\udfff" for text in (feature.name, *(feature.levels or ())) for letter in text):
            raise InvalidInput(f"{feature.name!r} holds half a character, which no file can hold.")
    features = list(enumerate(card.features))
    parts = [
        _HEAD.format(rows=len(card.features), pairs=len(card.pairs), version=_literal(card.version)),
        *(_feature_data(card, place, feature) for place, feature in features),
        *(_pair_data(card, place, pair) for place, pair in enumerate(card.pairs)),
        _concept_data(card),
        _HELPERS,
        _codes_function(card),
        _sum_function(
            "log_odds", "The ln odds of the bad.", card.intercept, "L", card, "U",
        ),
        _sum_function("score", "The score: higher is safer.", card.base_points, "P", card, "V"),
        _points_function(card),
        _TAIL,
    ]  # fmt: skip
    return "\n".join(parts)


def _literal(value: object) -> str:
    """A literal of Python in ASCII, so that no letter of a name can change how a line reads."""
    return ascii(value)


def _comment(text: str) -> str:
    """A text within a comment: nothing of it may end the line."""
    return json.dumps(text)


def _floats(name: str, values: Sequence[float] | FloatArray) -> str:
    """An assignment of a tuple of float64, wrapped; infinite ones by name."""
    listed = tuple(np.asarray(values, np.float64).tolist())
    return f"{name} = {_wrapped(listed)}".replace("inf", "_INF")


def _wrapped(values: tuple[object, ...]) -> str:
    return pprint.pformat(values, width=110, compact=True)


def _feature_data(card: Scorecard, place: int, feature: Feature) -> str:
    lines = [f"# {_comment(feature.name)}", f"N{place} = {_literal(feature.name)}"]
    if feature.levels is None:
        lines.append(_floats(f"E{place}", feature.edges))
        if feature.specials:
            pairs = ", ".join(f"{special!r}: {feature.bins + at}" for at, special in enumerate(feature.specials))
            lines.append(f"S{place} = {{{pairs}}}".replace("inf", "_INF"))
    else:
        lines.append(f"S{place} = {{")
        lines += [f"    {_literal(level)}: {code}," for code, level in enumerate(feature.levels)] + ["}"]
    return "\n".join([*lines, _floats(f"L{place}", card.tables[place]), _floats(f"P{place}", card.points[place]), ""])


def _pair_data(card: Scorecard, place: int, pair: Pair) -> str:
    first, second = (card.features[at].name for at in (pair.first, pair.second))
    starts = tuple((pair.first_groups * pair.values.shape[1]).tolist())
    return "\n".join(
        [
            f"# {_comment(first)} with {_comment(second)}: the place of a cell is F + G",
            f"F{place} = {_wrapped(starts)}",
            f"G{place} = {_wrapped(tuple(pair.second_groups.tolist()))}",
            _floats(f"U{place}", pair.values.ravel()),
            _floats(f"V{place}", card.pair_points[place].ravel()),
            "",
        ]
    )


def _concept_data(card: Scorecard) -> str:
    lines = ["# What reasons are given by, and their sentences", "CONCEPTS = ("]
    lines += [f"    {_literal(concept)}," for concept in card.concepts] + [")", "SENTENCES = {"]
    for language in LANGUAGES:
        sentences = (sentence(concept, card.features, language) for concept in card.concepts)
        lines += [f"    {language!r}: (", *(f"        {_literal(text)}," for text in sentences), "    ),"]
    return "\n".join([*lines, "}", ""])


def _codes_function(card: Scorecard) -> str:
    lines = ["", "def _codes(row):", '    """The code of every feature, and the cell of every pair."""']
    for place, feature in enumerate(card.features):
        lines.append(f"    x = row[N{place}]")
        missing = feature.size - 1
        if feature.levels is not None:
            lines.append(f"    c{place} = {missing} if _no_text(x, N{place}) else S{place}.get(x, {feature.bins})")
            continue
        lines += ["    if type(x) is not float:", f"        x = _number(x, N{place})"]
        code = f"bisect_right(E{place}, x) if x == x else {missing}"
        lines.append(
            f"    c{place} = S{place}[x] if x in S{place} else {code}" if feature.specials else f"    c{place} = {code}"
        )
    lines += [
        f"    q{place} = F{place}[c{pair.first}] + G{place}[c{pair.second}]" for place, pair in enumerate(card.pairs)
    ]
    return "\n".join([*lines, f"    return {_names(card)}", ""])


def _names(card: Scorecard) -> str:
    names = [f"c{place}" for place in range(len(card.features))] + [f"q{place}" for place in range(len(card.pairs))]
    return "(" + "".join(f"{name}, " for name in names) + ")"


def _unpacked(card: Scorecard) -> str:
    return f"    {_names(card)} = _codes(row)" if card.features else "    _codes(row)"


def _sum_function(name: str, says: str, start: float, main: str, card: Scorecard, pairs: str) -> str:
    terms = [f"{main}{place}[c{place}]" for place in range(len(card.features))]
    terms += [f"{pairs}{place}[q{place}]" for place in range(len(card.pairs))]
    lines = ["", f"def {name}(row):", f'    """{says}"""', _unpacked(card), f"    total = {start!r}"]
    for at in range(0, len(terms), _TERMS):
        lines.append("    total += " + " + ".join(terms[at : at + _TERMS]))
    return "\n".join([*lines, "    return total", ""])


def _points_function(card: Scorecard) -> str:
    place = [card.concepts.index(feature.concept) for feature in card.features]
    lines = [
        "",
        "def contributions(row):",
        '    """Points of each of CONCEPTS against the neutral value; base points and these are the score."""',
    ]
    lines += [_unpacked(card), f"    points = [0.0] * {len(card.concepts)}"]
    lines += [f"    points[{at}] += P{feature}[c{feature}]" for feature, at in enumerate(place)]
    for number, pair in enumerate(card.pairs):
        lines.append(f"    half = 0.5 * V{number}[q{number}]")
        lines += [f"    points[{place[pair.first]}] += half", f"    points[{place[pair.second]}] += half"]
    return "\n".join([*lines, "    return points", ""])


_HEAD = '''"""A scorecard of {rows} features and {pairs} pairs, as a file that needs Python 3.8 or later alone.

score(row), log_odds(row), probability(row), reasons(row): row is a dict that names every feature.
From a shell: python3 THIS_FILE applications.csv > scored.csv

A value becomes a code: the bin, special value or level it falls into; the last code of each feature is missing.
ln odds of the bad = intercept + one entry of each table L and, for pairs, U; score = base points + one of each P and V.
E: edges, the lower end belongs to its bin. S: codes of special values or levels. All sums are exact.
"""

import csv
import math
import sys
from bisect import bisect_right
from datetime import date, datetime, timezone

VERSION = {version}
_INF = float("inf")
'''

_HELPERS = '''
_NAN = float("nan")
_START = datetime(1970, 1, 1)


def _number(value, name):
    """A float; None, NaN and an empty text are missing (NaN); dates are days since 1970-01-01."""
    if value is None or value == "":
        return _NAN
    if isinstance(value, date):
        if not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
        if value.tzinfo is not None:
            value = value.astimezone(timezone.utc).replace(tzinfo=None)
        past = value - _START
        return ((past.days * 86400 + past.seconds) * 1000000 + past.microseconds) / 86400000000.0
    try:
        return float(value)
    except (TypeError, ValueError):
        if not isinstance(value, str):
            raise TypeError("column %r holds %r, which is no number" % (name, value)) from None
    try:
        return _number(datetime.fromisoformat(value.strip()), name)
    except ValueError:
        raise ValueError("column %r holds %r, which is no number" % (name, value)) from None


def _no_text(value, name):
    """Whether a text is missing, or empty; numbers in the place of texts are refused."""
    if isinstance(value, str):
        return value == ""
    if value is None or value != value:
        return True
    raise TypeError("column %r holds %r, which is no text" % (name, value))

'''

_TAIL = '''
def probability(row):
    """The probability of the bad."""
    total = log_odds(row)
    small = math.exp(-abs(total))
    return (1.0 if total >= 0 else small) / (1.0 + small)


def reasons(row, most=4, language="en"):
    """What speaks against the applicant: (concept, points, sentence), the most points lost first."""
    against = [
        (points, concept, text)
        for points, concept, text in zip(contributions(row), CONCEPTS, SENTENCES[language])
        if points < 0
    ]
    return [(concept, points, text) for points, concept, text in sorted(against)[:most]]


def _score_file(file, out):
    """Read a CSV and write it with log_odds, score and p beside it; what is wrong with it, or None."""
    rows = csv.DictReader(file)
    titles = rows.fieldnames or []
    out.writerow(titles + ["log_odds", "score", "p"])
    for row in rows:
        known = {title: value or None for title, value in row.items()}
        try:
            found = [repr(log_odds(known)), repr(score(known)), repr(probability(known))]
        except KeyError as error:
            return "there is no column %s" % error
        except (TypeError, ValueError) as error:
            return "line %d: %s" % (rows.line_num, error)
        out.writerow([row[title] for title in titles] + found)
    return None


def main(arguments):
    """The command line. An empty cell is missing."""
    if len(arguments) != 1:
        print("usage: python3 THIS_FILE applications.csv > scored.csv", file=sys.stderr)
        return 2
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    try:
        with open(arguments[0], newline="", encoding="utf-8-sig") as file:
            fault = _score_file(file, csv.writer(sys.stdout, lineterminator="\\n"))
    except UnicodeDecodeError:
        fault = "it is not in UTF-8"
    except OSError as error:
        fault = error.strerror
    if fault:
        print("%s: %s" % (arguments[0], fault), file=sys.stderr)
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''

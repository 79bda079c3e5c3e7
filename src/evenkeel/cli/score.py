"""`evenkeel score`: a file scored with a trained model: probability, points, and the reasons that speak against."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.model import loaded, model_options
from evenkeel.cli.options import as_json_option
from evenkeel.cli.tables import WRITTEN, read_table, write_rows
from evenkeel.kernel.errors import InvalidUsage
from evenkeel.kernel.text import texts
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.reading import as_trained
from evenkeel.scoring.reasons import reasons
from evenkeel.scoring.scorecard import Scorecard

_SHOWN = 20  # rows printed where no file is asked for
_Columns = dict[str, pa.Array | pa.ChunkedArray]


@click.command(
    epilog="\b\nExamples:\n  evenkeel score ./model/model.json applicants.csv --out scores.parquet --keep id\n"
    "  evenkeel score application applicants.parquet --json | jq '.rows[0]'"
)
@click.argument("reference", metavar="MODEL")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write .parquet or .csv.")
@click.option("--keep", multiple=True, metavar="COL", help="Columns of FILE to keep beside the scores.")
@click.option("--reasons/--no-reasons", "wanted", default=True, show_default=True, help="Up to four reasons a row.")
@model_options
@as_json_option
@click.pass_obj
def score(
    application: Application, reference: str, file: Path, out: Path | None, keep: tuple[str, ...], wanted: bool,
    workspace: Path | None, models: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Score every row of FILE (.parquet, .csv, .xlsx) with MODEL: p of the bad, points (higher is safer), reasons.

    MODEL is a version, the beginning of one, a name for its champion, or the path of a model's .json.
    """
    if out is not None and out.suffix.lower() not in WRITTEN:
        raise InvalidUsage(f"{out} is neither .parquet nor .csv.", "Choose one of the two.")
    card = loaded(application, reference, workspace, models)
    table = read_table(file)
    absent = [name for name in keep if name not in table.column_names]
    if absent:
        raise InvalidUsage(f"--keep names `{absent[0]}`, which is no column of {file}.")
    scored = scored_rows(card, table, keep, wanted)
    if out is not None:
        write_rows(scored, out)
    shown = scored.slice(0, _SHOWN) if out is not None or not as_json else scored
    document = {
        "model": card.version, "rows_scored": scored.num_rows, **({"out": str(out)} if out else {}),
        "rows": shown.to_pylist(),
    }  # fmt: skip
    say = texts("en")
    present.answer(
        document, as_json, lambda: say("score.written", rows=f"{scored.num_rows:,}", path=out) if out else _lines(shown)
    )
    return present.DONE


def scored_rows(card: Scorecard, table: pa.Table, keep: tuple[str, ...], wanted: bool) -> pa.Table:
    """row (0-based), the kept columns, log_odds, p, score, and reasons (concepts, the heaviest first, `;` between)."""
    columns = as_trained(card, table)
    log_odds = card.log_odds(columns)
    found: _Columns = {"row": pa.array(np.arange(table.num_rows))}
    found |= {name: table[name] for name in keep}
    found |= {"log_odds": pa.array(log_odds), "p": pa.array(sigmoid(log_odds)), "score": pa.array(card.score(columns))}
    if wanted:
        given = reasons(card, columns)
        found["reasons"] = pa.array(
            ["; ".join(concept for concept, _ in given.of(row)) for row in range(len(log_odds))]
        )
    return pa.table(found)


def _lines(shown: pa.Table) -> str:
    return "\n".join(
        f"{row['row']:>8}  p {row['p']:.4f}  {row['score']:8.1f}  {row.get('reasons', '')}" for row in shown.to_pylist()
    )

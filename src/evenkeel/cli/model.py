"""`evenkeel model`: the models on record, who approved them, what they become elsewhere, whether they still hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.cli.tables import read_table
from evenkeel.kernel.calendar import month_number
from evenkeel.kernel.errors import InvalidInput, InvalidUsage, NotFound
from evenkeel.kernel.text import Texts, texts
from evenkeel.scoring.frame import frame, is_text, numbers
from evenkeel.scoring.monitoring import Monitoring, ScoredMonth, State, Vintage, monitor
from evenkeel.scoring.reading import as_trained
from evenkeel.scoring.registry import Entry, Event, Registry, canonical, compare
from evenkeel.scoring.registry import State as Standing
from evenkeel.scoring.scorecard import Scorecard, from_document
from evenkeel.storage.files import writing

_MODEL = "a version, the beginning of one, a name for its champion, or the path of a model's .json"
_by_option = click.option("--by", required=True, metavar="WHO", help="Who does it.")
_why_option = click.option("--why", required=True, metavar="TEXT", help="Why, in a line; it stays on record.")


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where the models are."""
    models = click.option(
        "--models", type=click.Path(path_type=Path), help="Folder of the models; else `models` in the workspace."
    )
    return workspace_option(models(command))


def _registry(application: Application, workspace: Path | None, models: Path | None) -> Registry:
    folder = models or (workspace or application.workspace_path) / "models"
    return Registry(folder.expanduser(), application.clock)


def _document(registry: Registry, reference: str) -> dict[str, object]:
    """A model's document, from the registry or from a file."""
    path = Path(reference)
    if path.suffix != ".json":
        return registry.document(registry.find(reference).version)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}.", f"Give {_MODEL}.") from None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"{path} holds no model.", "A model is the .json that `evenkeel train --out` writes.")
    return document


def _scorecard(registry: Registry, reference: str) -> Scorecard:
    return from_document(_document(registry, reference))


def loaded(application: Application, reference: str, workspace: Path | None, models: Path | None) -> Scorecard:
    """The scorecard that a command names."""
    return _scorecard(_registry(application, workspace, models), reference)


@click.group()
def model() -> None:
    """The models on record: list, show, register, compare, promote, retire, export, monitor.

    MODEL is a version, the beginning of one, a name for its champion, or the path of a model's .json.
    """


# --- the record -------------------------------------------------------------------------------------------------------


@model.command("list", epilog="\b\nExample:\n  evenkeel model list --workspace ./record")
@model_options
@lang_option
@as_json_option
@click.pass_obj
def list_models(application: Application, workspace: Path | None, models: Path | None, lang: str, as_json: bool) -> int:
    """Every model with its state: candidate, challenger, champion, retired."""
    registry = _registry(application, workspace, models)
    entries, say = registry.entries(), texts(lang)
    document = {"models": [entry.document() for entry in entries], "head": registry.head}
    lines = [_entry_words(entry, say) for entry in entries] or [say("model.empty", folder=registry.folder)]
    present.answer(document, as_json, lambda: "\n".join(lines))
    return present.DONE


def _entry_words(entry: Entry, say: Texts) -> str:
    state = say(f"model.state.{entry.state.value}")
    return say("model.entry", version=entry.version, name=entry.name, state=state, by=entry.by, since=entry.since[:10])


def _event_words(event: Event, say: Texts) -> str:
    what = say(f"model.event.{event.state.value}")
    return say("model.event", at=event.at[:10], what=what, by=event.by, why=event.why)


@model.command(epilog="\b\nExample:\n  evenkeel model show application --json | jq .model.features")
@click.argument("reference", metavar="MODEL")
@model_options
@lang_option
@as_json_option
@click.pass_obj
def show(
    application: Application, reference: str, workspace: Path | None, models: Path | None, lang: str, as_json: bool
) -> int:
    """One model: what it is, what was done to it, and how many points its features give and take."""
    registry = _registry(application, workspace, models)
    held, say = _document(registry, reference), texts(lang)
    entry = None if Path(reference).suffix == ".json" else registry.find(reference)
    events = [event for event in registry.history() if entry and entry.version in (event.version, event.replaces)]
    document = {
        "entry": entry and entry.document(),
        "history": [json.loads(event.line()) for event in events],
        "model": held,
    }
    lines = [_entry_words(entry, say)] if entry else []
    lines += [*(_event_words(event, say) for event in events), *_model_words(held, say)]
    present.answer(document, as_json, lambda: "\n".join(lines))
    return present.DONE


def _model_words(document: Mapping[str, Any], say: Texts) -> list[str]:
    facts = document.get("facts", {})
    known = [
        name for name in ("target", "rows", "bads", "trained_on", "data_sha256", "code_version") if facts.get(name)
    ]
    lines = ["", *(say("model.fact", name=say(f"validation.fact.{name}"), value=facts[name]) for name in known), ""]
    for feature in document.get("features", []):
        points = feature["points"]
        lines.append(say("model.feature", name=feature["name"], bins=len(points), low=f"{min(points):+.1f}",
                         high=f"{max(points):+.1f}"))  # fmt: skip
    lines += [say("model.pair", first=pair["first"], second=pair["second"]) for pair in document.get("pairs", [])]
    return lines


@model.command(
    epilog="\b\nExamples:\n"
    "  evenkeel model register ./model/model.json --name application --by Lin --why 'spring data'\n"
    "  evenkeel model register ./scorecard.xlsx --name application --by Lin --why 'the card in use since 2019'"
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="What it is for; each name has one champion.")
@_by_option
@_why_option
@model_options
@as_json_option
@click.pass_obj
def register(
    application: Application, file: Path, name: str, by: str, why: str, workspace: Path | None, models: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Put a model on record as a candidate: a trained one (.json), or a scorecard in use (.xlsx, .csv)."""
    from evenkeel.scoring.tableio import read_scorecard  # spreadsheets are rarely read

    registry = _registry(application, workspace, models)
    imported = file.suffix.lower() in (".xlsx", ".csv")
    held = read_scorecard(file).document() if imported else _document(registry, str(file))
    version = registry.register(held, name, by=by, why=why)
    return _done(registry, version, as_json)


@model.command(epilog="\b\nExample:\n  evenkeel model promote additive-3f2a --by Chen --why 'better on 2024 vintages'")
@click.argument("reference", metavar="MODEL")
@click.option("--to", type=click.Choice(["champion", "challenger"]), default="champion", show_default=True)
@_by_option
@_why_option
@model_options
@as_json_option
@click.pass_obj
def promote(
    application: Application, reference: str, to: str, by: str, why: str, workspace: Path | None, models: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Make MODEL champion or challenger; somebody else than its trainer has to. A new champion retires the old one."""
    registry = _registry(application, workspace, models)
    version = registry.find(reference).version
    registry.promote(version, Standing(to), by=by, why=why)
    return _done(registry, version, as_json)


@model.command(epilog="\b\nExample:\n  evenkeel model retire additive-3f2a --by Chen --why 'its data feed ends'")
@click.argument("reference", metavar="MODEL")
@_by_option
@_why_option
@model_options
@as_json_option
@click.pass_obj
def retire(
    application: Application, reference: str, by: str, why: str, workspace: Path | None, models: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Take MODEL out of use; it stays on record."""
    registry = _registry(application, workspace, models)
    version = registry.find(reference).version
    registry.retire(version, by=by, why=why)
    return _done(registry, version, as_json)


def _done(registry: Registry, version: str, as_json: bool) -> int:
    entry = registry.find(version)
    present.answer(entry.document() | {"head": registry.head}, as_json, lambda: _entry_words(entry, texts("en")))
    return present.DONE


@model.command("compare", epilog="\b\nExample:\n  evenkeel model compare application additive-3f2a --lang zh")
@click.argument("first", metavar="MODEL")
@click.argument("second", metavar="MODEL")
@model_options
@lang_option
@as_json_option
@click.pass_obj
def compare_models(
    application: Application, first: str, second: str, workspace: Path | None, models: Path | None, lang: str,
    as_json: bool,
) -> int:  # fmt: skip
    """What changes from the first MODEL to the second: features, pairs, points, performance."""
    registry = _registry(application, workspace, models)
    document = compare(_scorecard(registry, first), _scorecard(registry, second))
    present.answer(document, as_json, lambda: "\n".join(_compare_words(document, texts(lang))))
    return present.DONE


def _compare_words(document: Mapping[str, Any], say: Texts) -> list[str]:
    base = document["base_points"]
    lines = [say("model.compare", a=document["a"], b=document["b"]),
             say("model.base", a=f"{base[0]:.1f}", b=f"{base[1]:.1f}")]  # fmt: skip
    for part in ("added", "removed"):
        lines += [say(f"model.feature_{part}", name=name) for name in document["features"][part]]
        lines += [say(f"model.pair_{part}", first=first, second=second) for first, second in document["pairs"][part]]
    for move in document["features"]["moved"]:
        if move["largest"] is None:
            lines.append(say("model.other_kind", name=move["name"]))
        else:
            old, new = move["points"]
            lines.append(say("model.moved", name=move["name"], largest=f"{move['largest']:+.1f}", where=move["where"],
                             a=f"{old:+.1f}", b=f"{new:+.1f}"))  # fmt: skip
    same = document["features"]["same"]
    return [*lines, *([say("model.same", count=len(same))] if same else [])]


# --- out of the record ------------------------------------------------------------------------------------------------


@model.command(
    epilog="\b\nExamples:\n  evenkeel model export application --out score.sql --dialect postgres\n"
    "  evenkeel model export application --out score.py\n"
    "  evenkeel model export application --out committee.xlsx --lang zh"
)
@click.argument("reference", metavar="MODEL")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="FILE.sql, .py, .xlsx, .csv, .md or .json.")
@click.option("--table", default="applications", show_default=True, help="For .sql: the table that is scored.")
@click.option("--dialect", type=click.Choice(["duckdb", "postgres"]), default="duckdb", show_default=True)
@model_options
@lang_option
@as_json_option
@click.pass_obj
def export(
    application: Application, reference: str, out: Path, table: str, dialect: str, workspace: Path | None,
    models: Path | None, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Write MODEL as SQL, as a Python file that needs nothing else, as a table for a committee, or as JSON."""
    from evenkeel.scoring.export import to_python, to_sql
    from evenkeel.scoring.tableio import write_card

    registry = _registry(application, workspace, models)
    document = _document(registry, reference)
    written: dict[str, Callable[[], str]] = {
        ".sql": lambda: to_sql(from_document(document), table, dialect) + "\n",
        ".py": lambda: to_python(from_document(document)),
        ".json": lambda: canonical(document),
    }
    kind = out.suffix.lower()
    if kind not in (*written, ".xlsx", ".csv", ".md"):
        raise InvalidUsage(f"a model is not written as {kind or 'a file without an ending'}.",
                           "Choose .sql, .py, .xlsx, .csv, .md or .json.")  # fmt: skip
    with writing(out):
        if kind in written:
            out.write_text(written[kind](), encoding="utf-8", newline="\n")
        else:
            write_card(from_document(document), out, lang)
    say = texts(lang)
    present.answer({"written": str(out), "kind": kind[1:]}, as_json, lambda: say("model.written", path=out))
    return present.DONE


# --- in use -----------------------------------------------------------------------------------------------------------


@model.command(
    "monitor",
    epilog="\b\nExamples:\n"
    "  evenkeel model monitor application scored.parquet --month month --bad-after months_to_bad\n"
    "  evenkeel model monitor application scored.csv --month applied_on --target bad --json | jq .state",
)
@click.argument("reference", metavar="MODEL")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--month", "month_column", required=True, metavar="COL", help="Month or day on which a row was scored.")
@click.option(
    "--bad-after", metavar="COL", help="Whole months from the scoring to the bad; empty where not bad so far."
)
@click.option("--target", metavar="COL", help="Final outcomes, 1 = bad; a month where one is empty is not judged.")
@click.option("--as-of", "as_of", metavar="MONTH", help="Month up to which outcomes are known; else the last in FILE.")
@click.option("--horizon", type=click.IntRange(1, 120), default=12, show_default=True,
              help="With --bad-after: months after which an outcome is final.")  # fmt: skip
@model_options
@lang_option
@as_json_option
@click.pass_obj
def monitor_model(
    application: Application, reference: str, file: Path, month_column: str, bad_after: str | None, target: str | None,
    as_of: str | None, horizon: int, workspace: Path | None, models: Path | None, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Hold what MODEL scored, month by month, against what it was approved on: drift, ranking, level.

    FILE is .parquet or .csv with the columns that MODEL reads.
    """
    if bad_after and target:
        raise InvalidUsage("--bad-after and --target both give outcomes.", "Give the one that you have.")
    card = _scorecard(_registry(application, workspace, models), reference)
    scored = _months(read_table(file), card, month_column, bad_after, target)
    end = as_of or max(month.month for month in scored)
    found = monitor(card, scored, as_of=end, horizon=0 if target else horizon)
    present.answer(found.document(), as_json, lambda: "\n".join(_monitor_words(found, texts(lang))))
    return present.DONE


def _months(
    table: pa.Table, card: Scorecard, month: str, bad_after: str | None, target: str | None
) -> list[ScoredMonth]:
    """The rows of each month, with their outcomes."""
    for name in (month, bad_after, target):
        if name is not None and name not in table.column_names:
            raise InvalidUsage(f"there is no column `{name}`.", f"There are: {', '.join(table.column_names[:20])}.")
    if table.num_rows == 0:
        raise InvalidInput("the file has no rows.", "Give the cases that were scored.")
    months = _month_texts(table[month], month)
    columns = as_trained(card, table)
    after = None
    if (outcome := bad_after or target) is not None:
        column = frame({outcome: table[outcome]})[outcome]
        if is_text(column):
            raise InvalidInput(f"`{outcome}` holds texts; it has to be a number.", "Write 1 for bad, 0 for good.")
        after = numbers(column)
    found = []
    for name in sorted(set(months.tolist())):
        of = months == name
        part = None if after is None else after[of]
        if target is not None and part is not None:
            part = None if np.isnan(part).any() else np.where(part != 0, 0.0, np.nan)
        found.append(ScoredMonth(name, columns.filter(pa.array(of)), part))
    return found


def _month_texts(column: pa.ChunkedArray, name: str) -> np.ndarray[Any, np.dtype[np.str_]]:
    """`YYYY-MM` of each row, from months or days."""
    if column.null_count:
        raise InvalidInput(
            f"`{name}` is empty in {column.null_count} rows.", "Every row needs the month of its scoring."
        )
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        column = pc.strftime(column, "%Y-%m")
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InvalidInput(f"`{name}` holds {column.type}; a month is a date, or text such as 2024-05.")
    months = np.array(pc.utf8_slice_codeunits(column, 0, 7).to_pylist(), np.str_)
    for text in np.unique(months):
        month_number(str(text))
    return months


def _monitor_words(found: Monitoring, say: Texts) -> list[str]:
    lines = [say("monitor.title", version=found.version, as_of=found.as_of, state=_state(found.state, say)), ""]
    for vintage in found.vintages:
        lines.append(
            say("monitor.month", month=vintage.month, state=_state(found.state_of(vintage.month), say),
                rows=f"{vintage.rows:,}", age=vintage.age, expected=f"{vintage.expected_rate:.2%}")
        )  # fmt: skip
        lines += _matured_words(vintage, say)
    alarms = [check.text(say.language) for check in found.checks if check.state is not State.GREEN]
    lines += ["", *(alarms or [say("monitor.quiet")])]
    families = dict.fromkeys(check.family for check in found.checks)
    if families:
        listed = say("model.comma").join(say(f"monitor.family.{family}") for family in families)
        lines.append(say("monitor.rates", rate=f"{found.alarms.false_alarm:.0%}", families=listed))
    return [*lines, *(say(key) for key in found.not_checked)]


def _state(state: State, say: Texts) -> str:
    return say(f"monitor.state.{state.value}")


def _matured_words(vintage: Vintage, say: Texts) -> list[str]:
    def area(value: float) -> str:
        return "–" if np.isnan(value) else f"{value:.3f}"

    return [
        say("monitor.matured", mob=m.months_on_book, rate=f"{m.bad_rate.value:.2%}", low=f"{m.bad_rate.low:.2%}",
            high=f"{m.bad_rate.high:.2%}", auc=area(m.auc.value), auc_low=area(m.auc.low), auc_high=area(m.auc.high))
        for m in vintage.matured
    ]  # fmt: skip

"""`evenkeel doctor`: is everything in order, and what to do where it is not."""

from __future__ import annotations

from pathlib import Path

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, workspace_option
from evenkeel.storage.doctor import checks


@click.command(epilog="\b\nExample:\n  evenkeel doctor --workspace ./record")
@workspace_option
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@as_json_option
@click.pass_obj
def doctor(application: Application, workspace: Path | None, lang: str, as_json: bool) -> int:
    """Check versions, database, journal against lake, and disk; each with what to do."""
    found = checks(
        workspace or application.workspace_path, application.database_url, clock=application.clock, language=lang
    )
    document = {
        "checks": [
            {"name": check.name, "ok": check.ok, "detail": check.detail, "remedy": check.remedy} for check in found
        ]
    }
    lines = []
    for check in found:
        lines.append(f"{'✓' if check.ok else '✗'} {check.name}: {check.detail}")
        if not check.ok and check.remedy:
            lines.append(f"    {check.remedy}")
    present.answer(document, as_json, lambda: "\n".join(lines))
    return present.DONE if all(check.ok for check in found) else present.AT_FAULT

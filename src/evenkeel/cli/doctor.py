"""`evenkeel doctor`: is everything in order, and what to do where it is not."""

from __future__ import annotations

from pathlib import Path

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.decisions.health import findings
from evenkeel.kernel.errors import InvalidUsage
from evenkeel.kernel.text import texts
from evenkeel.storage import checkpoint as checkpoints
from evenkeel.storage.doctor import Proving, checks

_EXAMPLES = """\b
Examples:
  evenkeel doctor --workspace ./record
  evenkeel doctor --checkpoint /media/stick/2026-03-01.json --key ~/keys/checkpoint
  evenkeel doctor --against /media/stick/2026-03-01.json --public-key ~/keys/checkpoint.pub

Both at once prove the record against the last checkpoint and write the next:

\b
  evenkeel doctor --against MONDAY.json --public-key KEY.pub --checkpoint TUESDAY.json --key KEY
"""

_FILE = click.Path(path_type=Path)


@click.command(epilog=_EXAMPLES)
@workspace_option
@click.option(
    "--checkpoint",
    type=_FILE,
    metavar="FILE",
    help="Write the last hash of every chain to a new signed file. Needs --key.",
)
@click.option(
    "--key",
    type=_FILE,
    metavar="FILE",
    help="Private key that signs; made on first use, with its public key in FILE.pub.",
)
@click.option("--against", type=_FILE, metavar="FILE", help="Hold the record to a checkpoint written earlier.")
@click.option("--public-key", type=_FILE, metavar="FILE", help="The key that must have signed the file of --against.")
@lang_option
@as_json_option
@click.pass_obj
def doctor(
    application: Application,
    workspace: Path | None,
    checkpoint: Path | None,
    key: Path | None,
    against: Path | None,
    public_key: Path | None,
    lang: str,
    as_json: bool,
) -> int:
    """Check versions, database, record and disk; each with what to do.

    The record is read from end to end: every fact must be the one that was booked. Its hash chains lie in the same
    database, so they show damage and edits, but not what somebody does who rewrites the chains as well or cuts off
    their ends. For that, write a checkpoint now and then, keep it where the users of the database cannot write, and
    hold the record to it.
    """
    if (checkpoint is None) != (key is None):
        raise InvalidUsage("--checkpoint and --key go together.", "Name the file to write and the key to sign it with.")
    if public_key and not against:
        raise InvalidUsage("--public-key says who must have signed the file of --against.", "Name that file too.")
    place = workspace or application.workspace_path
    sealed = checkpoints.read(against, public_key) if against else None
    seal = checkpoints.prepare(checkpoint, key, place) if checkpoint and key else None
    what = texts(lang)("doctor.chain.progress")
    with present.progress(as_json) as report:
        found = checks(
            place, application.database_url, clock=application.clock, language=lang,
            proving=Proving(sealed, seal, lambda share: report(what, share)), vault_key_file=application.vault_key_file,
            further=(findings,),
        )  # fmt: skip
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

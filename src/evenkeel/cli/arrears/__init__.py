"""`evenkeel arrears`: see it coming, know why, help lawfully, learn what works."""

from __future__ import annotations

import click

from evenkeel.cli.group import Commands

_COMMANDS: dict[str, str] = {
    "warn": "Whose first or next line becomes overdue, how far it rolls, and what to do.",
    "causes": "Why borrowers are overdue, and why the overdue rate changed.",
    "assign": "One day's treatments for a whole book: law, value, capacity, a randomised slice.",
    "worklist": "Cases in the order of what a minute is worth in each.",
    "case": "One case: its story, what is done in it, agencies.",
    "chat": "Talk as a borrower would, or watch simulated borrowers talk.",
    "evaluate": "What treatments do, and what a policy of them would bring, from a log.",
    "forecast": "Cash by day and promises kept, from the book's own history, with a backtest.",
    "operations": "Entry, recovery and kept promises by bucket, product, collector, agency and cohort.",
    "evasion": "Those who could pay and do not, with due process.",
    "lint": "Messages: what may not be said, by which rule, and better words.",
    "templates": "Message templates in both languages, and one filled in.",
    "phrases": "What the understanding was learned from; judge it, train it again.",
}


@click.group(
    cls=Commands,
    package="evenkeel.cli.arrears",
    summaries=_COMMANDS,
    epilog="\b\nExamples:\n"
    "  evenkeel arrears warn ./march\n"
    "  evenkeel arrears causes ./march --lang zh\n"
    "  evenkeel arrears assign ./march --out ./today --capacity call=200\n"
    "  evenkeel arrears chat",
)
def arrears() -> None:
    """People who fall behind, or are about to: who, why, what may be done, and what works."""

"""All guards over one training table."""

from __future__ import annotations

from evenkeel.measures.discrimination import Estimate
from evenkeel.scoring.guards.board import board
from evenkeel.scoring.guards.data import data
from evenkeel.scoring.guards.drift import drift
from evenkeel.scoring.guards.fairness import fairness
from evenkeel.scoring.guards.finding import SEVERITIES, Examined, Finding
from evenkeel.scoring.guards.leakage import leaks
from evenkeel.scoring.guards.outcome import outcomes

_TOO_GOOD = 0.92  # an application or behaviour score reaches 0.70 to 0.90


def examine(train: Examined) -> tuple[Finding, ...]:
    """What every guard says of a training table: refusals first, then warnings, then notes. Same input, same findings.

    At most 200,000 rows are drawn for what looks at single columns; figures `rows_examined` and `rows` say so.
    Outcomes, vintages and rows that stand twice are counted on all rows. With one class nothing else can be looked at.
    """
    findings = outcomes(train)
    if not any(finding.guard == "one_class" for finding in findings):
        drawn = board(train)
        findings += [*leaks(drawn), *data(drawn), *drift(drawn), *fairness(drawn)]
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def too_good(area: Estimate) -> tuple[Finding, ...]:
    """A warning where a finished model's area, judged on rows it has not seen, is beyond what credit data give."""
    if not area.low >= _TOO_GOOD:
        return ()
    return (Finding("too_good", "warn", (), {"auc": area.value, "low": area.low, "high": area.high}),)

"""The accounts beside their peers, section by section.

    python benchmarks/accounts.py --peers /path/to/python          # everything
    python benchmarks/accounts.py --sections schedules --rows 10000

schedules: equal-instalment schedules of 12 months, every row with its own principal and rate: ours, exact to the fen;
    numpy-financial's pmt, ipmt and ppmt, unrounded float64; and a plain loop in decimals, on a sample, its time
    multiplied up. "adds up" is the share of schedules whose principal, rounded to the fen, sums to what was lent.

fold: an account of 60 months from its facts to its state, a card with a purchase and a payment each month, and a loan
    with a payment each month: milliseconds an account.
close: the close of one day for `--rows` open accounts, nine in ten of them lines, one a loan (`account_close.py` says
    how they are made), on an ordinary day and on one on which every bill is cut: by stage, from the journal to the
    journal, with the files on the disk.
growth: the same for 10,000, 100,000 and 1,000,000.

The peers live in an environment of their own, whose interpreter is given:

    pip install numpy-financial==1.0.0 numpy

Every figure is from a process of its own with one thread. CPU s is what the work alone took, without imports and
drawing; the peak memory is the process's.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

PERIODS = 12
SAMPLE = 20_000  # schedules of the decimal loop
MILLION = 10**6  # a rate is so many parts of it a year


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """What a piece of work returns, and its CPU seconds."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


# --- schedules --------------------------------------------------------------------------------------------------------


def lent(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Principals of 100.00 to 200,000.00 in fen, and annual rates up to 36 % in millionths; the same for everybody."""
    rng = np.random.default_rng(5)
    return rng.integers(100_00, 200_000_00, rows), rng.integers(0, 360_000, rows)


def our_schedules(rows: int) -> dict:
    from evenkeel.measures.annuity import equal_instalments

    principal, rate = lent(rows)
    factors = np.repeat(rate[:, None], PERIODS, axis=1)
    found, cpu = timed(lambda: equal_instalments(principal, factors, 12 * MILLION))
    return {"cpu_s": cpu, "adds_up": float((found.principal.sum(axis=1) == principal).mean())}


def peer_schedules(rows: int) -> dict:
    import numpy_financial

    principal, rate = lent(rows)
    monthly, present = (rate / (12 * MILLION))[:, None], -principal[:, None].astype(float)
    period = np.arange(1, PERIODS + 1)

    def work() -> np.ndarray:
        numpy_financial.pmt(monthly, PERIODS, present)
        numpy_financial.ipmt(monthly, period, PERIODS, present)
        return numpy_financial.ppmt(monthly, period, PERIODS, present)

    repaid, cpu = timed(work)
    return {"cpu_s": cpu, "adds_up": float((np.round(repaid).sum(axis=1) == principal).mean())}


def decimal_schedule(principal: Decimal, factor: Decimal) -> list[tuple[Decimal, Decimal, Decimal, Decimal]]:
    """One schedule in yuan as a programmer writes it: payment, interest, principal and balance of each month."""
    fen = Decimal("0.01")
    discounted = sum(1 / (1 + factor) ** month for month in range(1, PERIODS + 1))
    payment = (principal / discounted).quantize(fen, ROUND_HALF_UP)
    rows, balance = [], principal
    for month in range(1, PERIODS + 1):
        interest = (balance * factor).quantize(fen, ROUND_HALF_UP)
        if month == PERIODS:
            payment = balance + interest
        balance -= payment - interest
        rows.append((payment, interest, payment - interest, balance))
    return rows


def decimal_schedules(rows: int) -> dict:
    sample = min(rows, SAMPLE)
    principal, rate = lent(rows)
    terms = [
        (Decimal(amount) / 100, Decimal(share) / (12 * MILLION))
        for amount, share in zip(principal[:sample].tolist(), rate[:sample].tolist(), strict=True)
    ]
    found, cpu = timed(lambda: [decimal_schedule(*one) for one in terms])
    sums = [sum(row[2] for row in schedule) for schedule in found]
    right = sum(total == amount for total, (amount, _) in zip(sums, terms, strict=True)) / sample
    return {"cpu_s": cpu * rows / sample, "adds_up": right, "sample": sample}


# --- fold -------------------------------------------------------------------------------------------------------------


def our_folds(rows: int) -> dict:
    from datetime import date

    from evenkeel.accounts.facts import AccountFact, FactKind
    from evenkeel.accounts.fold import account_state
    from evenkeel.accounts.products.reading import shipped

    begun, end, times = date(2019, 1, 1), date(2023, 12, 31), min(rows, 200)
    months = [date(2019 + place // 12, place % 12 + 1, 10) for place in range(60)]
    card = [AccountFact("o", FactKind.OPENED, begun, 0, {"limit_minor": 5_000_000})]
    for place, day in enumerate(months):
        card.append(AccountFact(f"p{place}", FactKind.PURCHASE, day, 100_000))
        card.append(AccountFact(f"y{place}", FactKind.PAYMENT, day.replace(day=20), 90_000))
    loan = [
        AccountFact("o", FactKind.OPENED, begun, 0, {"instalments": 60}),
        AccountFact("d", FactKind.DISBURSEMENT, begun, 10_000_000),
    ]
    paid = account_state(shipped("cash_loan"), loan, begun).dues[0].due_minor
    loan += [
        AccountFact(f"y{place}", FactKind.PAYMENT, day.replace(day=1), paid) for place, day in enumerate(months[1:])
    ]
    figures = {}
    for name, facts in (("card", card), ("cash_loan", loan)):
        product = shipped(name)
        account_state(product, facts, end)
        started = time.process_time()
        for _ in range(times):
            account_state(product, facts, end)
        figures[f"{name}_ms"] = 1000 * (time.process_time() - started) / times
    return {"cpu_s": 0.0, **figures}


# --- close ------------------------------------------------------------------------------------------------------------


def our_close(rows: int) -> dict:
    from account_close import close_of_day

    return close_of_day(rows)


# --- the sections: who is measured, in whose environment, and how the figures are shown -------------------------------

SECTIONS: dict[str, dict[str, Callable[[int], dict]]] = {
    "schedules": {"evenkeel": our_schedules, "numpy-financial": peer_schedules, "decimal loop": decimal_schedules},
    "fold": {"evenkeel": our_folds},
    "close": {"evenkeel": our_close},
    "growth": {"evenkeel": our_close},
}
GROWTH = (10_000, 100_000, 1_000_000)
PEERS = ("numpy-financial",)


def schedules_table(results: list[dict]) -> str:
    lines = [
        f"| {results[0]['rows']:,} schedules of {PERIODS} | CPU s | peak memory, MB | adds up |",
        "|---|---|---|---|",
    ]
    for one in results:
        who = f"{one['who']}, from {one['sample']:,}" if "sample" in one else one["who"]
        lines.append(f"| {who} | {one['cpu_s']:.2f} | {one['peak_mb']:,.0f} | {one['adds_up']:.2%} |")
    return "\n".join(lines)


def fold_table(results: list[dict]) -> str:
    one = results[0]
    lines = ["| an account of 60 months | CPU ms |", "|---|---|"]
    lines += [f"| {name} | {one[f'{name}_ms']:.2f} |" for name in ("card", "cash_loan")]
    return "\n".join(lines)


def close_table(results: list[dict]) -> str:
    lines = [
        "| open accounts | day | facts | wall s | CPU s | facts s | accounts s | peak memory, MB | on disk, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for day in ("ordinary", "bills"):
            one = result[day]
            stages = one["stages"]
            lines.append(
                f"| {one['accounts']:,} | {day} | {one['facts']:,} | {one['wall_s']:.1f} | {one['cpu_s']:.1f} "
                f"| {stages['facts']:.1f} | {stages['accounts']:.1f} | {one['peak_mb']:,.0f} | {one['disk_mb']:,.0f} |"
            )
    return "\n".join(lines)


TABLES = {"schedules": schedules_table, "fold": fold_table, "close": close_table, "growth": close_table}


def run(section: str, who: str, rows: int, peers: str | None) -> dict:
    """The figures of one process."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [str(peers) if who in PEERS else sys.executable, __file__, "--job", json.dumps([section, who, rows])]
    done = subprocess.run(command, env=os.environ | one, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{who} failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return {"section": section, "who": who, "rows": rows, **json.loads(done.stdout)}


def work(job: str) -> None:
    """Do one job and print its figures."""
    section, who, rows = json.loads(job)
    found = SECTIONS[section][who](rows)
    print(json.dumps({**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--peers", help="an interpreter that has the peers; without it they are left out")
    parser.add_argument("--rows", type=int, default=10**6, help="of `schedules` and `close`")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        work(arguments.job)
        return
    results = [
        run(section, who, rows, arguments.peers)
        for section in arguments.sections
        for who in SECTIONS[section]
        for rows in (GROWTH if section == "growth" else (arguments.rows,))
        if arguments.peers or who not in PEERS
    ]
    if arguments.json:
        print(json.dumps(results, indent=1))
        return
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for section in arguments.sections:
        print(f"\n### {section}\n\n{TABLES[section]([one for one in results if one['section'] == section])}")


if __name__ == "__main__":
    main()

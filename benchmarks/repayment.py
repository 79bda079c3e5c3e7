"""Plans over several creditors: the single optimum, the whole offer, why there is none, growth, and many level plans.

    python benchmarks/repayment.py [--cases N] [--plans N] [--most N] [--no-peer]

Households are drawn with a seed: debts of 1,000 to 80,000 yuan at 0 to 36 % a year; of their creditors some want level
instalments, some allow one rise, some take any amounts; most waive fees, and lower the rate on request. The chance of
completing is a stand-in, a fixed survival by month, at no cost of its own. Half of what a month leaves counts for later
ones; in swinging months each carries 0.3 to 1.7 times the usual. Whole cases are drawn households, from what they told
to plans with their chances, or why there is none. Times are of the CPU, the median and the 95th of 100, after one
round that compiles.

The peer solves the same programme (one option of each creditor, a row a month) by scipy.optimize.milp, which is HiGHS
without our prices and search; that both find the same cost is checked.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from itertools import islice

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from evenkeel.repayment.case import Policy, Recovery
from evenkeel.repayment.choice.offer import Offer, offer
from evenkeel.repayment.choice.optimum import Programme
from evenkeel.repayment.choice.options import level_plans
from evenkeel.repayment.choice.search import Search
from evenkeel.repayment.facts.sample import households
from evenkeel.repayment.model import HORIZON, Chance, Claim, IntArray, Keep
from evenkeel.repayment.planning import Planned, plan_of

SURVIVAL = 0.985 ** np.arange(HORIZON + 1)
KINDS = ("level", "any", "level", "stepped")
RATES = np.array([0, 120_000, 156_000, 180_000, 240_000, 360_000])


def judge(payments: IntArray) -> Chance:
    """The stand-in: each month one plan in 67 breaks."""
    p = float(SURVIVAL[np.flatnonzero(payments)[-1]]) if payments.any() else 1.0
    return Chance(p, p, p, SURVIVAL)


def drawn(creditors: int, months: int, seed: int, kinds: tuple[str, ...] = KINDS) -> tuple[tuple[Claim, ...], IntArray]:
    """A household's claims, and capacity that is enough in most cases."""
    rng = np.random.default_rng([seed, creditors, months])
    claims = []
    for place in range(creditors):
        principal = int(np.exp(rng.uniform(np.log(1e5), np.log(8e6))))
        policy = Policy(
            most_months=months, instalments=kinds[int(rng.integers(len(kinds)))],  # type: ignore[arg-type]
            minimum_instalment_minor=int(rng.choice([0, 5_000, 10_000])), upfront_share=float(rng.choice([0, 0, 0.05])),
            rates=tuple(rng.choice([0.0, 0.06, 0.12], size=int(rng.integers(3)), replace=False).tolist()),
            waivers={"fees": 1.0, "penalty": 1.0, "interest": float(rng.choice([0.0, 0.3, 0.5]))},
            recovery=Recovery(float(rng.uniform(0.1, 0.6)), 24, 0.2),
        )  # fmt: skip
        parts = (int(principal * share) for share in rng.uniform(0, 0.05, 3))
        claims.append(
            Claim(f"d{place}", f"c{place}", "bank_card", *parts, principal, int(rng.choice(RATES)), policy,
                  days_past_due=int(rng.integers(0, 120)))
        )  # fmt: skip
    owed = sum(claim.balance_minor for claim in claims)
    capacity = np.full(HORIZON + 1, int(owed * rng.uniform(1.25, 2.5) / months), np.int64)
    capacity[0] = owed // 8
    return tuple(claims), capacity


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """What it gives, and the milliseconds of the processor that it took."""
    begun = time.process_time()
    found = work()
    return found, (time.process_time() - begun) * 1e3


def told(times: list[float]) -> str:
    """The median and the 95th of 100."""
    return f"p50 {np.percentile(times, 50):8.1f} ms   p95 {np.percentile(times, 95):8.1f} ms"


def optimum(claims: tuple[Claim, ...], capacity: IntArray) -> list[int] | None:
    """The cheapest choice, menus and all."""
    return Search(claims, capacity, SURVIVAL).programme().cheapest()


def by_peer(programme: Programme) -> int | None:
    """The least that is paid in all, by scipy."""
    sizes = [len(menu) for menu in programme.menus]
    cost = np.concatenate([menu.paid_minor for menu in programme.menus]).astype(np.float64)
    one_each = sparse.block_diag([np.ones((1, size)) for size in sizes])
    monthly = sparse.csr_array(np.concatenate([menu.payments for menu in programme.menus]).T.astype(np.float64))
    found = milp(
        cost, integrality=np.ones(len(cost)), bounds=Bounds(0, 1), options={"mip_rel_gap": 0.0},
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(monthly, -np.inf, programme.capacity + 0.5)],
    )  # fmt: skip
    return None if found.x is None else round(found.fun)


def single(cases: int, peer: bool) -> None:
    ours, theirs, different = [], [], 0
    for seed in range(cases):
        claims, capacity = drawn(6, HORIZON, seed)
        picks, took = timed(lambda: optimum(claims, capacity))  # noqa: B023
        ours.append(took)
        if peer:
            programme = Search(claims, capacity, SURVIVAL).programme()
            cost, took = timed(lambda: by_peer(programme))  # noqa: B023
            theirs.append(took)
            assert picks is None or isinstance(picks, list)
            mine = picks and sum(int(menu.paid_minor[pick]) for menu, pick in zip(programme.menus, picks, strict=True))
            different += mine != cost
    print(f"single optimum, 6 creditors x 60 months   {told(ours)}")
    if peer:
        print(f"  the programme alone by scipy's milp     {told(theirs)}   another cost in {different} of {cases}")


def offers(cases: int, swinging: bool) -> None:
    found: dict[str, list[float]] = {"an offer": [], "why there is none": []}
    plans, where = 0, ", swinging months" if swinging else ", 6 creditors x 60 months"
    for seed in range(cases):
        claims, capacity = drawn(6, HORIZON, seed)
        if swinging:
            capacity[1:] = capacity[1:] * np.random.default_rng(seed).uniform(0.3, 1.7, HORIZON)
        for share in (1, 3):
            given, took = timed(lambda: offer(claims, capacity // share, judge, keep=keep_of(capacity)))  # noqa: B023
            if isinstance(given, Offer):
                plans += len(given.plans)
                found["an offer"].append(took)
            else:
                found["why there is none"].append(took)
    for name, times in found.items():
        if times:
            print(f"{name + where:<41} {told(times)}   {len(times)} cases")
    print(f"  {plans / max(1, len(found['an offer'])):.1f} different plans in an offer")


def keep_of(capacity: IntArray) -> Keep:
    """Half of what a month leaves, up to a usual month's capacity."""
    return Keep(50, int(capacity[1:].mean()))


def whole(cases: int) -> None:
    found: dict[str, list[float]] = {}
    for case in islice(households(1, date(2026, 11, 20)), cases):
        planned, took = timed(lambda: plan_of(case))  # noqa: B023
        assert isinstance(planned, Planned)
        found.setdefault(planned.status, []).append(took)
    for name, times in found.items():
        print(f"{'whole case, ' + name:<41} {told(times)}   {len(times)} cases")


def growth(cases: int, most: int) -> None:
    for creditors in (2, 4, 6, 8, 12, 20, 60):
        if creditors <= most:
            times = [offered(creditors, HORIZON, seed) for seed in range(cases)]
            print(f"{creditors:>3} creditors x 60 months                   {told(times)}")
    for months in (12, 24, 36, 48, 60):
        times = [offered(6, months, seed) for seed in range(cases)]
        print(f"  6 creditors x {months} months                   {told(times)}")


def offered(creditors: int, months: int, seed: int) -> float:
    """The milliseconds of one offer."""
    claims, capacity = drawn(creditors, months, seed)
    return timed(lambda: offer(claims, capacity, judge, keep=keep_of(capacity)))[1]


def many(plans: int) -> None:
    rng = np.random.default_rng(7)
    balances = rng.integers(1, 10**8, plans)
    rates, months = rng.choice(RATES, plans), rng.integers(1, HORIZON + 1, plans)
    level_plans(balances[:1], rates[:1], months[:1])
    begun = time.process_time()
    found = level_plans(balances, rates, months)
    print(
        f"{plans:,} level plans   {time.process_time() - begun:.3f} CPU s   {int(found.paid_minor.sum()):,} paid in all"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100, help="households of each size")
    parser.add_argument("--plans", type=int, default=100_000, help="level plans")
    parser.add_argument("--most", type=int, default=60, help="creditors of the largest household")
    parser.add_argument("--no-peer", action="store_true", help="leave scipy out")
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for seed in range(3):  # compile what is compiled
        claims, capacity = drawn(3, HORIZON, seed)
        offer(claims, capacity, judge)
        claims, capacity = drawn(12, HORIZON, seed)
        offer(claims, capacity, judge, keep=keep_of(capacity))
        offer(claims, capacity // 9, judge, keep=keep_of(capacity))
    single(given.cases, not given.no_peer)
    offers(given.cases, swinging=False)
    offers(given.cases, swinging=True)
    whole(given.cases)
    growth(max(1, given.cases // 5), given.most)
    many(given.plans)


if __name__ == "__main__":
    sys.exit(main())

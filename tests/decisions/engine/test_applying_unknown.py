"""Nothing that is not known of an applicant helps: taking any numbers out of a situation never betters the outcome."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_applying import SHIPPED_DECIDERS, apply

from evenkeel.decisions.assessment.forgery import SIGNS
from evenkeel.decisions.engine import situation

RANK = {"decline": 0, "refer": 1, "approve_less": 2, "approve": 3}
DAY = 739_680
GOOD = {
    "cap_minor": 50_000_000, "exposure_group_minor": 0, "requests_in_flight": 0, "lines": 1, "day": DAY,
    "identity_place": 0, "watched": 0, "age": 35, "bureau_day": DAY - 3, "lines_outside": 1, "outside_minor": 100_000,
    "service_after_minor": 60_000, "income_seen_minor": 1_000_000, "income_low_minor": 850_000,
    "income_middle_minor": 1_000_000,
}  # fmt: skip
# A sign that is silent for want of any history is no worse than one that found nothing; those that every application
# gives, if it names what they are read from, are.
NEEDED = [f"sign_{name}" for name in ("shared_device", "shared_phone", "shared_address")]
TAKEN = [name for name in GOOD if name not in ("cap_minor", "exposure_group_minor", "lines", "day", "identity_place")]
OTHER = {
    "watched": [0, 1, 2], "age": [15, 35, 80], "bureau_day": [DAY - 90, DAY - 3], "lines_outside": [0, 4, 12],
    "outside_minor": [0, 900_000, 90_000_000], "service_after_minor": [0, 60_000, 400_000, 900_000],
    "income_low_minor": [0, 850_000], "income_middle_minor": [1, 1_000_000], "income_seen_minor": [1, 1_000_000],
    "identity_place": list(range(len(situation.IDENTITIES))), "lines": [0, 3, 11],
}  # fmt: skip


def outcome(values: dict[str, int | None]) -> str:
    rows = np.array([situation.of_borrower(values)], np.int64)
    empty = SHIPPED_DECIDERS.features.values([SHIPPED_DECIDERS.features.empty()], np.zeros(1, np.int64))
    return SHIPPED_DECIDERS.rule([apply("k")], np.zeros(1, np.int64), empty, rows)[0].outcome


def test_the_good_applicant_is_approved() -> None:
    assert outcome(GOOD | {f"sign_{sign.name}": 0 for sign in SIGNS}) == "approve"


@settings(deadline=None, max_examples=300)
@given(
    st.fixed_dictionaries({}, optional={name: st.sampled_from(some) for name, some in OTHER.items()}),
    st.fixed_dictionaries({}, optional={name: st.sampled_from([0, 1, 2]) for name in NEEDED}),
    st.sets(st.sampled_from([*TAKEN, *NEEDED]), min_size=1),
)
def test_what_is_taken_out_never_helps(facts: dict[str, int], signs: dict[str, int], taken: set[str]) -> None:
    whole: dict[str, int | None] = GOOD | {f"sign_{sign.name}": 0 for sign in SIGNS} | facts | signs
    before, after = outcome(whole), outcome(whole | dict.fromkeys(taken))
    assert RANK[after] <= max(RANK[before], RANK["refer"])
    if taken - {"income_seen_minor"}:
        assert after in ("refer", "decline")

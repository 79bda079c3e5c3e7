"""Watch lists hold tokens with a source and days, are taken whole, and remember what they said."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_samples import CARD, NAME, NUMBER, PHONE, token

from evenkeel.decisions.identity import store
from evenkeel.decisions.identity.service import LISTED, load_watch_list
from evenkeel.decisions.identity.watch import (
    EFFECTS,
    STRICTNESS,
    Hit,
    WatchEntry,
    WatchKind,
    WatchList,
    WatchReason,
    effect,
    effects,
    hits,
    listed,
    read_watch_list,
)
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, texts
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Journal

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)
DAY = date(2026, 11, 27)
HEADER = "kind,token,reason,source,from,until\n"
ANNA, BEN, PHONE_OF_BEN = token("person", "Anna"), token("person", "Ben"), token("phone", "Ben's")


def entry(which: str = ANNA, reason: WatchReason = WatchReason.FRAUD, **changed: object) -> WatchEntry:
    made = WatchEntry(WatchKind.PERSON, which, reason, "police notice 7", date(2026, 1, 1))
    return replace(made, **changed)  # type: ignore[arg-type]


def test_a_list_is_read_with_its_sources_and_days() -> None:
    text = (
        "\ufeff" + HEADER + f"person,{ANNA},fraud,police notice 7,2026-01-01,\n\n"
        f'phone,{PHONE_OF_BEN},lost_document,"operator, by mail",2026-02-01,2026-12-31\n'
        f"person,{ANNA},fraud,police notice 7,2026-01-01,\n"
    )
    found = read_watch_list("own", text)
    phone = WatchEntry(WatchKind.PHONE, PHONE_OF_BEN, WatchReason.LOST_DOCUMENT, "operator, by mail", date(2026, 2, 1),
                       date(2026, 12, 31))  # fmt: skip
    assert found == WatchList("own", (entry(), phone)), "what stands twice is one entry"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"person,{NUMBER},fraud,police,2026-01-01,", "token"), (f"phone,{PHONE},fraud,police,2026-01-01,", "token"),
        (f"card,{CARD},fraud,police,2026-01-01,", "token"), (f"person,{NAME},fraud,police,2026-01-01,", "token"),
        (f"{NAME},{ANNA},fraud,police,2026-01-01,", "kind"), (f"person,{ANNA},{NAME},police,2026-01-01,", "reason"),
        (f"person,{ANNA},fraud,,2026-01-01,", "source"), (f"person,{ANNA},fraud,{'x' * 201},2026-01-01,", "source"),
        (f"person,{ANNA},fraud,police,,", "date"), (f"person,{ANNA},fraud,police,2026-13-01,", "date"),
        (f"person,{ANNA},fraud,police,2026-02-01,2026-01-31", "until"), (f"person,{ANNA},fraud,police", "columns"),
        (f'person,{ANNA},fraud,"police,2026-01-01,', "line"),
    ],
)  # fmt: skip
def test_a_list_with_one_bad_line_is_refused_whole_naming_line_and_column_and_no_person(row: str, said: str) -> None:
    good = f"person,{BEN},fraud,police,2026-01-01,\n"
    with pytest.raises(InvalidInput, match="line 3") as refusal:
        read_watch_list("own", HEADER + good + row + "\n")
    assert said in str(refusal.value)
    for value in (NUMBER, PHONE, CARD, NAME):
        assert value not in str(refusal.value)


@pytest.mark.parametrize("text", ["", "kind,token\n", HEADER.replace("until", "to")])
def test_a_file_that_is_no_watch_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="first line"):
        read_watch_list("own", text)


@given(st.text())
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        assert read_watch_list("own", HEADER + text).name == "own"
    except InvalidInput as error:
        assert "watch list own, line" in str(error)


def test_an_entry_holds_on_its_first_and_last_day_and_between() -> None:
    lasting = entry(effective_until=date(2026, 3, 1))
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 1), date(2026, 3, 2)]
    assert [lasting.in_force(day) for day in days] == [False, True, True, False]
    assert entry().in_force(date.max)


def test_hits_come_strictest_first_and_only_for_the_kind_and_token_on_the_day() -> None:
    dead = entry(reason=WatchReason.DECEASED)
    lists = [
        WatchList("own", (entry(), entry(BEN), entry(kind=WatchKind.PHONE))),
        WatchList("state", (dead, entry(reason=WatchReason.SANCTIONED, effective_from=date(2027, 1, 1)))),
    ]
    found = hits(lists, {WatchKind.PERSON: [ANNA]}, DAY)
    assert found == (Hit("state", dead), Hit("own", entry()))
    assert [hit.code for hit in found] == ["watch_deceased", "watch_fraud"]
    assert hits(lists, {WatchKind.CARD: [ANNA]}, DAY) == hits([], {WatchKind.PERSON: [ANNA]}, DAY) == ()


def test_what_policy_reads_declines_for_what_needs_no_weighing_and_else_asks_a_person() -> None:
    for reason in WatchReason:
        found = [Hit("own", entry(reason=reason))]
        assert effect(found) == EFFECTS[reason]
        assert listed(found) is (True if reason in ("sanctioned", "deceased", "self_excluded") else None)
    assert (effect([]), listed([])) == ("none", False)
    assert listed([Hit("own", entry()), Hit("own", entry(reason=WatchReason.DECEASED))]) is True


def test_a_column_has_the_effect_of_each() -> None:
    lists = [WatchList("own", (entry(effective_until=DAY), entry(BEN, WatchReason.DECEASED), entry(BEN)))]
    tokens = [ANNA, BEN, None, "somebody", ANNA]
    days = np.array([DAY, DAY, DAY, DAY, DAY + timedelta(days=1)], "datetime64[D]")
    found = effects(lists, WatchKind.PERSON, tokens, days)
    wanted = [effect(hits(lists, {WatchKind.PERSON: [token] if token else []}, day.item())) for token, day in
              zip(tokens, days, strict=True)]  # fmt: skip
    assert [STRICTNESS[place] for place in found] == wanted == ["refer", "decline", "none", "none", "none"]


def test_every_reason_has_its_text() -> None:
    for language in LANGUAGES:
        for reason in WatchReason:
            assert f"reason.watch_{reason}" in texts(language)


# --- on record --------------------------------------------------------------------------------------------------------


def test_a_list_on_record_says_what_it_said_at_every_instant(journal: Journal) -> None:
    def load(given: WatchList, hour: int) -> tuple[int, int]:
        return load_watch_list(replace(journal, clock=fixed_clock(NOW + timedelta(hours=hour))), given)

    def found(hour: float, *tokens: str) -> list[str]:
        with transaction(journal.engine) as connection:
            at = NOW + timedelta(hours=hour)
            return [hit.entry.token for hit in store.watch_hits(connection, {WatchKind.PERSON: tokens}, DAY, at)]

    first, second = WatchList("own", (entry(), entry(BEN))), WatchList("own", (entry(BEN),))
    assert load(first, 0) == (2, 0)
    assert load(WatchList("state", (entry(BEN, WatchReason.DECEASED),)), 0) == (1, 0)
    assert load(second, 1) == (0, 1)
    assert load(second, 2) == (0, 0)
    assert load(first, 3) == (1, 0)
    assert found(-1, ANNA, BEN) == []
    assert found(0.5, ANNA) == [ANNA]
    assert found(1.5, ANNA) == []
    assert found(3.5, ANNA) == [ANNA]
    assert found(3.5, BEN) == [BEN, BEN]
    facts = [found.fact for found in journal.read(kind=LISTED)]
    assert [(fact.payload["list"], fact.payload["added"], fact.payload["withdrawn"]) for fact in facts] == [
        ("own", 2, 0), ("state", 1, 0), ("own", 0, 1), ("own", 1, 0),
    ]  # fmt: skip
    assert facts[0].payload["digest"] == facts[3].payload["digest"] == first.digest != second.digest


def test_a_list_on_record_gives_the_hits_of_the_list_itself(journal: Journal) -> None:
    lists = [
        WatchList("own", (entry(), entry(BEN, effective_until=date(2026, 5, 1)), entry(kind=WatchKind.PHONE))),
        WatchList("state", (entry(reason=WatchReason.SANCTIONED),)),
    ]
    for one in lists:
        load_watch_list(journal, one)
    tokens = {WatchKind.PERSON: [ANNA, BEN], WatchKind.PHONE: [ANNA], WatchKind.CARD: []}
    with transaction(journal.engine) as connection:
        for day in (DAY, date(2026, 5, 1), date(2025, 1, 1)):
            assert store.watch_hits(connection, tokens, day, NOW) == hits(lists, tokens, day)

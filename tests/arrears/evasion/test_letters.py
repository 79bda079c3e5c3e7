"""Agents behind letters: found as clusters, told apart from the innocent ones, in time that grows with the letters."""

import random
import time
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.arrears.evasion.clusters import ALIKE_FROM, Letter, _alike, _plain, find_clusters

DAY = date(2026, 3, 2)
AGENT = (
    "尊敬的客服：本人因公司经营困难被裁员，目前无固定收入，母亲在市第一人民医院住院治疗，名下欠款已无力按期偿还。根据商业银行信用卡业务监督管理办法"
    "第七十条，本人特申请停止计收利息并个性化分期六十期，请于三个工作日内书面答复，否则将向监管部门投诉。"
)
OWN = [
    "你好，我这个月工资还没有发，老板说下周才能发下来，能不能把还款日往后推几天？我之前一直都是按时还的，这次实在是周转不开，麻烦帮我看看怎么办理。",
    "I lost my job at the mill in January and have been looking since. I can pay forty a month until I find something; "
    "please tell me whether that helps and whom I should write to about the interest on the card.",
    "上次打电话来的人说要联系我单位，我觉得不合适。欠款我认，只是孩子上学刚交了学费，想申请分六个月还清，希望能给个答复，谢谢。",
]  # fmt: skip


def shuffled(text: str, seed: int) -> str:
    """The same letter with another name, amount and day, and a word more."""
    rng = random.Random(seed)
    return f"{text}欠款金额{rng.randint(1000, 99999)}元，联系电话{rng.randint(10**10, 2 * 10**10)}。"


def agency(count: int, *, device: str | None = "d-agent", fee: bool = True, days: int = 6) -> list[Letter]:
    text = AGENT + ("代理费按欠款2%收取。" if fee else "")
    return [
        Letter(f"x{n}", f"bx{n}", DAY + timedelta(days=n % days), shuffled(text, n), device_token=device,
               address_token=f"home{n}")
        for n in range(count)
    ]  # fmt: skip


def test_an_agency_is_found_and_its_members_are_likely_victims() -> None:
    others = [Letter(f"o{n}", f"bo{n}", DAY, shuffled(text, n) + str(n)) for n, text in enumerate(OWN)]
    (found,) = find_clusters([*agency(12), *others])
    assert found.borrowers == tuple(sorted(f"bx{n}" for n in range(12)))
    assert found.agent_likely and set(found.signals) == {"shared_contact", "fee", "burst", "certificates"}
    assert found.document()["members"] == "likely_victims"


@pytest.mark.parametrize(
    ("letters", "why"),
    [
        (agency(12, device=None, fee=False, days=300), "alike letters alone"),
        (agency(12, device=None, fee=False), "alike letters in a week, from one hospital: a plant that closed"),
        ([Letter(f"f{n}", f"bf{n}", DAY, shuffled(AGENT, n), None, "telephone", "home") for n in range(5)],
         "a family with one telephone"),
    ],
)  # fmt: skip
def test_the_innocent_are_not_taken_for_an_agency(letters: list[Letter], why: str) -> None:
    assert not any(found.agent_likely for found in find_clusters(letters)), why


def test_a_published_letter_is_nobodys_business_even_from_a_clinic_with_one_telephone() -> None:
    (found,) = find_clusters(agency(30), [AGENT + "代理费按欠款2%收取。欠款金额1元，联系电话12345678901。"])
    assert found.public and not found.agent_likely


def test_fewer_than_five_borrowers_are_no_cluster() -> None:
    assert find_clusters(agency(4)) == []
    assert find_clusters([Letter(f"s{n}", "same", DAY, AGENT) for n in range(9)]) == []


def similarity(one: str, other: str) -> float:
    sets = [{text[place : place + 8] for place in range(len(text) - 7)} for text in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_likeness_is_what_the_shingles_say(seed: int) -> None:
    """Against every pair, one by one: pairs above the bar are joined, and groups hang together by such pairs."""
    rng = np.random.default_rng(seed)
    alphabet = list("的一是不了人我在有他这中大来上国个到说们")
    base = ["".join(rng.choice(alphabet, 120)) for _ in range(3)]
    texts = []
    for _ in range(14):
        text = list(base[rng.integers(3)])
        for _ in range(int(rng.integers(0, 3))):
            text[rng.integers(120)] = str(rng.choice(alphabet))
        texts.append(_plain("".join(text)))
    group = {place: number for number, places in enumerate(_alike(texts)) for place in places}
    for one in range(len(texts)):
        for other in range(one):
            if similarity(texts[one], texts[other]) >= ALIKE_FROM + 0.03:
                assert group.get(one) == group.get(other) is not None
    for number in set(group.values()):
        members = [place for place, own in group.items() if own == number]
        for place in members:
            assert any(similarity(texts[place], texts[near]) >= ALIKE_FROM for near in members if near != place)


@pytest.mark.prove
def test_a_hundred_thousand_letters_take_seconds() -> None:
    rng = random.Random(1)
    signs = [chr(code) for code in range(0x4E00, 0x5600)]
    letters = [
        Letter(f"r{n}", f"b{n}", DAY, "".join(rng.choices(signs, k=160))) for n in range(98_000)
    ] + agency(2_000)  # fmt: skip
    begun = time.process_time()
    found = find_clusters(letters)
    assert [len(one.borrowers) for one in found] == [2_000]
    assert time.process_time() - begun < 60

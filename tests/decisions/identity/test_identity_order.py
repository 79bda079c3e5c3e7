"""The next question is the one that the best of all plans asks first: held against every plan there is."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.decisions.identity.order import Question, Stakes, estimated_question, next_question
from evenkeel.decisions.identity.verification import CheckKind, CheckResult
from evenkeel.kernel.errors import InvalidInput

R = CheckResult
K = CheckKind
Chances = Mapping[CheckResult, Fraction]
Given = tuple[CheckKind, int, Chances, Chances]

# A plan is a decision, or a question with a plan for each of its answers.
Plan = str | tuple[CheckKind, dict[CheckResult, "Plan"]]


def holds(answers: dict[CheckKind, CheckResult], kind: CheckKind) -> bool:
    if kind is K.NAME_ID and answers.get(kind) is not R.MISMATCH and answers.get(K.FOUR_FACTOR) is R.MATCH:
        return True
    return answers.get(kind) is R.MATCH


def plans(
    questions: list[Given], required: frozenset[CheckKind], answers: dict[CheckKind, CheckResult]
) -> Iterator[Plan]:
    """Every plan that the rules allow from here on."""
    if R.MISMATCH in answers.values():
        yield "decline"
    elif all(holds(answers, kind) for kind in required):
        yield from ("decline", "refer", "approve")
    else:
        yield from ("decline", "refer")
    for kind, _, if_good, if_bad in questions:
        if kind not in answers:
            possible = [answer for answer in R if if_good.get(answer) or if_bad.get(answer)]
            branches = [list(plans(questions, required, {**answers, kind: answer})) for answer in possible]
            for chosen in product(*branches):
                yield kind, dict(zip(possible, chosen, strict=True))


def worth(plan: Plan, bad: Fraction, questions: list[Given], stakes: Stakes) -> Fraction:
    """What a plan earns on average: over both kinds of applicant and every answer, one case after another."""
    total = Fraction(0)
    for share, is_bad in ((1 - bad, False), (bad, True)):
        stack = [(plan, share)]
        while stack:
            here, chance = stack.pop()
            if isinstance(here, str):
                approve = -stakes.loss_minor if is_bad else stakes.gain_minor
                refer = -stakes.review_minor + (0 if is_bad else stakes.gain_minor)
                total += chance * {"decline": 0, "refer": refer, "approve": approve}[here]
                continue
            kind, then = here
            _, cost, if_good, if_bad = next(one for one in questions if one[0] is kind)
            total -= chance * cost
            stack += [
                (then[answer], chance * (if_bad if is_bad else if_good).get(answer, Fraction(0))) for answer in then
            ]
    return total


def chances(answers: tuple[CheckResult, ...]) -> st.SearchStrategy[Chances]:
    weights = st.lists(st.integers(0, 6), min_size=len(answers), max_size=len(answers)).filter(any)
    return weights.map(lambda w: {a: Fraction(x, sum(w)) for a, x in zip(answers, w, strict=True)})


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Given], frozenset[CheckKind]]:
    """Up to two questions with three answers, or three with two."""
    few = draw(st.booleans())
    answers = (R.MATCH, R.MISMATCH, draw(st.sampled_from([R.UNAVAILABLE, R.RESTRICTED])))[: 3 if few else 2]
    kinds = draw(st.permutations([K.NAME_ID, K.FOUR_FACTOR, K.DEVICE]))[: draw(st.integers(0, 2 if few else 3))]
    questions = [(kind, draw(st.integers(0, 60)), draw(chances(answers)), draw(chances(answers))) for kind in kinds]
    required = draw(st.sampled_from([{K.NAME_ID}, {K.NAME_ID, K.FOUR_FACTOR}, {K.FOUR_FACTOR, K.DEVICE}]))
    return questions, frozenset(required)


def floats(questions: list[Given]) -> list[Question]:
    return [
        Question(kind, cost, *({answer: float(share) for answer, share in chances.items()} for chances in both))
        for kind, cost, *both in questions
    ]


@settings(max_examples=150, deadline=None)
@given(cases(), st.fractions(0, 1, max_denominator=20), st.integers(0, 500), st.integers(0, 3000), st.integers(0, 200))
def test_no_plan_earns_more_than_the_one_that_is_followed(
    case: tuple[list[Given], frozenset[CheckKind]], bad: Fraction, gain: int, loss: int, review: int
) -> None:
    questions, required = case
    stakes = Stakes(gain, loss, review)
    step = next_question(float(bad), floats(questions), stakes, {}, required)
    every = [(worth(plan, bad, questions, stakes), plan) for plan in plans(questions, required, {})]
    most = max(value for value, _ in every)
    assert step.value_minor == pytest.approx(float(most), abs=1e-4)
    # And its first step is the first step of a plan that earns as much.
    firsts = {plan if isinstance(plan, str) else plan[0] for value, plan in every if most - value < Fraction(1, 10**3)}
    assert (step.decision if step.ask is None else step.ask) in firsts


def screening(kind: CheckKind, cost: int, fails: float) -> Question:
    """A question that good and bad applicants fail alike: only its cost and how often it ends the matter count."""
    return Question(kind, cost, *[{R.MATCH: 1 - fails, R.MISMATCH: fails}] * 2)


def test_questions_that_all_must_be_passed_come_by_cost_over_chance_to_fail() -> None:
    """The order of least expected cost (Mitten 1960): cost over the chance to end it, the smallest first."""
    kinds, spend = [K.FOUR_FACTOR, K.FACE, K.DEVICE, K.ADDRESS], []
    for costs in permutations((5, 20, 45, 80)):
        fails = (0.1, 0.2, 0.3, 0.5)
        questions = [screening(kind, cost, share) for kind, cost, share in zip(kinds, costs, fails, strict=True)]
        by_ratio = sorted(questions, key=lambda one: one.cost_minor / one.if_good[R.MISMATCH])
        answers: dict[CheckKind, CheckResult] = {}
        for wanted in by_ratio:
            step = next_question(0.0, questions, Stakes(100_000, 0, 100_000), answers, frozenset(kinds))
            assert step.ask is wanted.kind
            answers[wanted.kind] = R.MATCH
        step = next_question(0.0, questions, Stakes(100_000, 0, 100_000), answers, frozenset(kinds))
        assert (step.ask, step.decision) == (None, "approve")
        spend.append(costs)
    assert len(spend) == 24


FORGER = {R.MATCH: 0.2, R.MISMATCH: 0.75, R.UNAVAILABLE: 0.05}
HONEST = {R.MATCH: 0.945, R.MISMATCH: 0.005, R.UNAVAILABLE: 0.05}


def test_of_two_questions_that_say_the_same_the_cheaper_is_asked() -> None:
    questions = [Question(K.FACE, 60, HONEST, FORGER), Question(K.NAME_ID, 15, HONEST, FORGER)]
    step = next_question(0.05, questions, Stakes(20_000, 200_000, 3_000), {}, frozenset({K.NAME_ID}))
    assert step.ask is K.NAME_ID


def test_nothing_is_asked_once_the_decision_cannot_change() -> None:
    free = Question(K.FACE, 0, HONEST, FORGER)
    questions = [Question(K.NAME_ID, 15, HONEST, FORGER), free]
    stakes = Stakes(20_000, 200_000, 3_000)
    assert next_question(0.05, questions, stakes, {K.NAME_ID: R.MISMATCH}).ask is None
    assert next_question(0.05, questions, stakes, {K.NAME_ID: R.MISMATCH}).decision == "decline"
    hopeless = Stakes(0, 200_000, 3_000)
    assert next_question(0.05, questions, hopeless, {}).ask is None


def test_where_nobody_can_be_approved_asking_still_tells_whom_a_person_should_see() -> None:
    """The face is required and cannot be asked for: refer or decline is all that is left, and name and number tell."""
    questions = [Question(K.NAME_ID, 1, HONEST, FORGER)]
    stakes, required = Stakes(1000, 0, 700), frozenset({K.FACE})
    step = next_question(0.5, questions, stakes, {}, required)
    # A match comes from 0.4725 good and 0.1 bad, unavailable from 0.025 each: only the first is worth a person's time.
    assert (step.ask, step.decision) == (K.NAME_ID, "decline")
    assert step.value_minor == pytest.approx(0.4725 * 1000 - 0.5725 * 700 - 1)
    assert next_question(0.5, questions, stakes, {K.NAME_ID: R.MATCH}, required).decision == "refer"


def test_a_question_that_says_nothing_is_not_asked_even_for_nothing() -> None:
    alike = Question(K.DEVICE, 0, HONEST, HONEST)
    step = next_question(0.05, [alike], Stakes(20_000, 2_000, 3_000), {K.ID_NUMBER: R.MATCH, K.NAME_ID: R.MATCH})
    assert (step.ask, step.decision) == (None, "approve")


def test_dear_questions_never_let_anybody_through_unverified() -> None:
    dear = [Question(K.NAME_ID, 10**9, HONEST, FORGER)]
    for answers in ({}, {K.NAME_ID: R.UNAVAILABLE}, {K.NAME_ID: R.RESTRICTED}):
        step = next_question(0.0, dear, Stakes(10**6, 0, 10**7), answers, frozenset({K.NAME_ID}))
        assert (step.ask, step.decision) == (None, "decline")


def test_an_answer_that_was_held_impossible_changes_the_verdict_and_not_the_odds() -> None:
    questions = [Question(K.NAME_ID, 15, HONEST, FORGER)]
    step = next_question(0.05, questions, Stakes(20_000, 200_000, 3_000), {K.NAME_ID: R.RESTRICTED})
    assert (step.ask, step.decision, step.value_minor) == (None, "refer", pytest.approx(0.95 * 20_000 - 3_000))


def test_what_cannot_be_is_refused() -> None:
    fine = Question(K.FACE, 1, HONEST, FORGER)
    with pytest.raises(InvalidInput, match="bad"):
        next_question(1.1, [fine], Stakes(1, 1, 1), {})
    with pytest.raises(InvalidInput, match="bad"):
        next_question(float("nan"), [fine], Stakes(1, 1, 1), {})
    with pytest.raises(InvalidInput, match="once"):
        next_question(0.1, [fine, fine], Stakes(1, 1, 1), {})
    with pytest.raises(InvalidInput, match="if_bad"):
        Question(K.FACE, 1, HONEST, {R.MATCH: 0.5})
    with pytest.raises(InvalidInput, match="cost_minor"):
        Question(K.FACE, -1, HONEST, FORGER)
    with pytest.raises(InvalidInput, match="loss_minor"):
        Stakes(1, -1, 1)


def test_estimates_add_half_a_case_to_every_answer() -> None:
    found = estimated_question(K.FACE, 60, {R.MATCH: 98}, {R.MATCH: 3, R.MISMATCH: 5})
    assert found.if_good == {R.MATCH: 98.5 / 100, **dict.fromkeys(list(R)[1:], 0.5 / 100)}
    assert found.if_bad == {R.MATCH: 0.35, R.MISMATCH: 0.55, R.UNAVAILABLE: 0.05, R.RESTRICTED: 0.05}

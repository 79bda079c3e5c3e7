"""Which outside question to ask next: the one whose answer is worth most beyond its cost, and none when none can pay.

The applicant is good or bad. Answers are independent of each other given which (the naive Bayes assumption: two
services that read one register are one question). The plan that is best over all ways to go on is found exactly:

    V(g, b) = max(best decision now, max over questions q of W(q))
    W(q) = sum over answers r of V(g p[q, r], b s[q, r]) - cost[q] (g + b)

with g and b the probabilities of being good or bad together with the answers so far, p and s those of answer r from a
good and from a bad applicant (Raiffa & Schlaifer 1961, ch. 1; unnormalised, so that nothing is divided). Values are
estimates in minor units and never enter a ledger.

What may be decided is held by the verdict: a mismatch leaves only decline, and approval needs every required match, so
nobody is granted for the reason that asking was dear.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from evenkeel.decisions.identity.verification import (
    CEILING,
    REQUIRED,
    CheckKind,
    CheckResult,
    covered,
    verdict,
)
from evenkeel.kernel.errors import InvalidInput

_Answers = frozenset[tuple[CheckKind, CheckResult]]

_ALMOST = 1e-9  # of the stakes: what is worth no more than this is worth nothing
_DECISIONS = ("decline", "refer", "approve")


@dataclass(frozen=True, slots=True)
class Question:
    """A check that may be asked: its cost, and how often each answer comes from a good and from a bad applicant."""

    kind: CheckKind
    cost_minor: int
    if_good: Mapping[CheckResult, float]
    if_bad: Mapping[CheckResult, float]

    def __post_init__(self) -> None:
        if type(self.cost_minor) is not int or self.cost_minor < 0:
            raise InvalidInput(f"`cost_minor` of {self.kind} is a whole number of minor units of 0 or more.")
        for name, chances in (("if_good", self.if_good), ("if_bad", self.if_bad)):
            if not all(0 <= chance <= 1 for chance in chances.values()) or abs(sum(chances.values()) - 1) > 1e-9:
                raise InvalidInput(f"`{name}` of {self.kind} are probabilities that sum to 1.")


@dataclass(frozen=True, slots=True)
class Stakes:
    """What hangs on the decision, in minor units, each 0 or more.

    gain_minor: of lending to somebody good. loss_minor: of lending to somebody bad. review_minor: a person's time; the
    person is taken to find out which it is, so referring is worth the gain from the good, less this.
    """

    gain_minor: int
    loss_minor: int
    review_minor: int

    def __post_init__(self) -> None:
        for name in ("gain_minor", "loss_minor", "review_minor"):
            if type(value := getattr(self, name)) is not int or value < 0:
                raise InvalidInput(f"`{name}` is {value!r}; it is a whole number of minor units of 0 or more.")


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next. ask: the question, None to stop. decision: what to decide where nothing more is asked.

    value_minor: what is expected from here on, if the best plan is followed; an estimate in minor units.
    """

    ask: CheckKind | None
    decision: str
    value_minor: float


def next_question(
    bad: float,
    questions: Sequence[Question],
    stakes: Stakes,
    answers: Mapping[CheckKind, CheckResult],
    required: Collection[CheckKind] = REQUIRED,
) -> Step:
    """The next step for an applicant.

    bad: the probability of being bad, as known before `answers`. questions: all that can be asked; those with an answer
    are not asked again, and their answers count by their probabilities. An answer of a kind that is not among the
    questions, or that was held impossible, counts for the verdict alone. Of plans worth the same the shorter wins, then
    the cheaper question. Raises InvalidInput if `bad` is no probability or a kind stands twice.
    """
    if not 0 <= bad <= 1:
        raise InvalidInput(f"`bad` is {bad}; it is a probability.")
    by_kind = {question.kind: question for question in questions}
    if len(by_kind) < len(questions):
        raise InvalidInput("each kind of check stands once among the questions.")
    good = 1 - bad
    for kind in sorted(set(answers) & set(by_kind)):
        then = good * by_kind[kind].if_good.get(answers[kind], 0.0), bad * by_kind[kind].if_bad.get(answers[kind], 0.0)
        if sum(then) > 0:
            good, bad = then
    search = _Search(stakes, required, sorted(questions, key=lambda question: question.cost_minor))
    total = good + bad
    given = frozenset(answers.items())
    ask, value = search.best(good / total, bad / total, given)
    decision, _ = search.decide(good / total, bad / total, given)
    return Step(ask, decision, value)


@dataclass(frozen=True, slots=True)
class _Search:
    """The recursion; questions from the cheapest on. What was found for a set of answers is kept."""

    stakes: Stakes
    required: Collection[CheckKind]
    questions: Sequence[Question]
    _found: dict[_Answers, tuple[CheckKind | None, float]] = field(default_factory=dict)

    def decide(self, good: float, bad: float, answers: _Answers) -> tuple[str, float]:
        """The best decision that the verdict allows, and its value times the probability of having come here."""
        stakes = self.stakes
        worth = {
            "decline": 0.0,
            "refer": good * stakes.gain_minor - (good + bad) * stakes.review_minor,
            "approve": good * stakes.gain_minor - bad * stakes.loss_minor,
        }
        ceiling = CEILING[verdict(dict(answers), self.required).identity]
        allowed = _DECISIONS[: _DECISIONS.index(ceiling) + 1]
        best = max(allowed, key=lambda name: (worth[name], -_DECISIONS.index(name)))
        return best, worth[best]

    def best(self, good: float, bad: float, answers: _Answers) -> tuple[CheckKind | None, float]:
        """The best first question, None to stop, and the value of going on so."""
        if answers not in self._found:
            self._found[answers] = self._best(good, bad, answers)
        return self._found[answers]

    def _best(self, good: float, bad: float, answers: _Answers) -> tuple[CheckKind | None, float]:
        ask: CheckKind | None = None
        _, value = self.decide(good, bad, answers)
        most = self._most(good, answers)
        least = _ALMOST * (good + bad) * (self.stakes.gain_minor + self.stakes.loss_minor)
        asked = {kind for kind, _ in answers}
        for question in self.questions:
            cost = (good + bad) * question.cost_minor
            if most - cost <= value + least:
                break  # and every later one costs more
            if question.kind in asked:
                continue
            worth = -cost
            for answer in CheckResult:
                chances = question.if_good.get(answer, 0.0), question.if_bad.get(answer, 0.0)
                if any(chances):
                    worth += self.best(good * chances[0], bad * chances[1], answers | {(question.kind, answer)})[1]
            if worth > value + least:
                ask, value = question.kind, worth
        return ask, value

    def _most(self, good: float, answers: _Answers) -> float:
        """What nobody can do better than: to know who is good, and treat these as well as the verdict still can."""
        results = dict(answers)
        if CheckResult.MISMATCH in results.values():
            return 0.0
        open_kinds = {question.kind for question in self.questions} - set(results)
        hoped = covered(results | dict.fromkeys(open_kinds, CheckResult.MATCH))
        if all(hoped.get(kind) is CheckResult.MATCH for kind in self.required):
            return good * self.stakes.gain_minor
        return max(0.0, good * (self.stakes.gain_minor - self.stakes.review_minor))


def estimated_question(
    kind: CheckKind, cost_minor: int, good: Mapping[CheckResult, int], bad: Mapping[CheckResult, int]
) -> Question:
    """A question whose probabilities come from counts of answers about applicants who turned out good and bad.

    Half a case is added to each of the four answers (Jeffreys), so that what was never seen is not impossible.
    """
    chances = []
    for counts in (good, bad):
        total = sum(counts.values()) + 0.5 * len(CheckResult)
        chances.append({answer: (counts.get(answer, 0) + 0.5) / total for answer in CheckResult})
    return Question(kind, cost_minor, *chances)

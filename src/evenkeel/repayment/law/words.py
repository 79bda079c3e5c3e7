"""Questions, warnings and routes as sentences, in a language of the catalogue."""

from __future__ import annotations

from evenkeel.kernel.money import Money
from evenkeel.kernel.text import texts
from evenkeel.repayment.law.rules import shipped
from evenkeel.repayment.model import Question

_SHARES = ("low", "high", "cap", "rate")  # values of questions that are yearly rates


def asked(question: Question, currency: str, language: str) -> str:
    """A question as a sentence: amounts in `currency`, rates as percentages, rules by their citation."""
    say = texts(language)
    values: dict[str, object] = {}
    for name, value in (question.values or {}).items():
        if name.endswith("_minor") and isinstance(value, int):
            values[name.removesuffix("_minor")] = str(Money(value, currency))
        elif name in _SHARES and isinstance(value, float):
            values[name] = f"{100 * value:g} %"
        elif name == "rule":
            values[name] = cited(str(value), language)
        elif name == "category":
            values[name] = say(f"repay.form.category.{value}")
        elif name == "priority":
            values[name] = say(f"repay.form.priority.{value}")
        elif name == "missing":
            values[name] = (", " if language == "en" else "、").join(
                say(f"repay.form.component.{part}") for part in str(value).split(", ")
            )
        else:
            values[name] = value
    return say(question.key, **values)


def warned(warning: tuple[str, str], language: str) -> str:
    """A warning of a claim as a sentence, with the rule that it rests on and how that is known."""
    key, rule = warning
    say = texts(language)
    return say(key) + (f" [{cited(rule, language)}]" if rule else "")


def cited(rule: str, language: str) -> str:
    """A rule as it is cited, with how its text is known; its id where these files do not hold it."""
    known = shipped().rules.get(rule)
    if known is None:
        return rule
    return f"{known.citation[language]}; {texts(language)(f'repay.confidence.{known.confidence}')}"

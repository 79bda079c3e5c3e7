"""A page as HTML: whole in itself, no script, no request to any host, the same bytes for the same content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from evenkeel.kernel.text import Texts
from evenkeel.pipeline.report.blocks import Section


@dataclass(frozen=True, slots=True)
class Key:
    """One figure of the strip at the top."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that stands on a page. first: the heading of the findings."""

    title: str
    meta: str
    first: str
    findings: tuple[str, ...]
    keys: tuple[Key, ...]
    sections: tuple[Section, ...]
    footer: str


def render(sheet: Sheet, text: Texts) -> str:
    """The page as HTML in the language of the texts."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_template),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = _prose
    style = Markup(_template("style.css"))  # noqa: S704 - a file of the package
    return environment.get_template("report.html").render(t=text, sheet=sheet, style=style)


def _prose(text: str) -> Markup:
    """A text as the page sets it: names between backticks as code, days and months unbroken."""
    coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\b\d{4}-\d{2}(-\d{2})?\b", r'<span class="w">\g<0></span>', coded))  # noqa: S704 - escaped


def _template(name: str) -> str:
    return (files("evenkeel.pipeline.report") / "templates" / name).read_text(encoding="utf-8")

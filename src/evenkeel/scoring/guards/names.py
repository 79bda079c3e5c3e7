"""What a column's name says of it: known after the outcome, or protected by law. The catalogue is `names.toml`."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Literal

Timing = Literal["after", "perhaps", ""]
Protection = Literal["protected", "age", ""]

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOIN = re.compile(r"[\s\-./]+")


def plain(name: str) -> str:
    """A name as the catalogue writes it: lower case, words joined by `_`, full-width letters made narrow."""
    return _JOIN.sub("_", _WORD.sub("_", unicodedata.normalize("NFKC", name).strip())).lower()


def timing(name: str) -> Timing:
    """`after`: by its name the column exists only after the outcome; `perhaps`: it may; else nothing is said."""
    known, written = _catalogue(), plain(name)
    history = bool(known["before"].search(written))
    if known["after"].search(written):
        return "perhaps" if history else "after"
    return "perhaps" if known["perhaps"].search(written) and not history else ""


def protection(name: str) -> Protection:
    """`protected`: by its name the law protects the attribute almost everywhere; `age`: depending on the law."""
    known, written = _catalogue(), plain(name)
    if known["protected"].search(written):
        return "protected"
    return "age" if known["age"].search(written) else ""


@cache
def _catalogue() -> dict[str, re.Pattern[str]]:
    content = tomllib.loads((files("evenkeel.scoring.guards") / "names.toml").read_text(encoding="utf-8"))
    lists = {"before": content.pop("before")}
    lists |= {kind: [*languages["en"], *languages["zh"]] for kind, languages in content.items()}
    return {kind: re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) for kind, patterns in lists.items()}

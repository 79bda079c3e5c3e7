"""Texts for people, in English and Simplified Chinese, through gettext.

The catalogues are the `.po` files in `locale/`, read as they are: a translator's edit needs no build step. Keys are
stable ids such as `reason.utilisation_high`, so that a sentence can be improved without touching code.
"""

import ast
import gettext
from functools import cache
from importlib.resources import files

from evenkeel.kernel.errors import InvalidInput

LANGUAGES = ("en", "zh")


def _parse_po(text: str) -> dict[str, str]:
    """msgid -> msgstr of a `.po` file without plural forms."""
    entries: dict[str, str] = {}
    parts: dict[str, str] = {}
    field = ""
    for line in [*text.splitlines(), 'msgid ""']:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        for name in ("msgid", "msgstr"):
            if line.startswith(f"{name} "):
                if name == "msgid" and parts.get("msgid"):
                    entries[parts["msgid"]] = parts.get("msgstr", "")
                if name == "msgid":
                    parts = {}
                field, line = name, line[len(name) + 1 :]
        parts[field] = parts.get(field, "") + ast.literal_eval(line)
    return entries


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of one language, by key. Raises InvalidInput on a language that is not shipped."""
    if language not in LANGUAGES:
        raise InvalidInput(f"language {language!r} is not shipped.", f"Choose from {', '.join(LANGUAGES)}.")
    folder = files("evenkeel.kernel") / "locale" / language
    merged: dict[str, str] = {}
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".po"):
            merged |= _parse_po(entry.read_text(encoding="utf-8"))
    return merged


class Texts(gettext.NullTranslations):
    """gettext translations of one language; a missing key is an error, never a silent key on a page."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.language = language
        self._texts = catalogue(language)

    def gettext(self, message: str) -> str:
        """The text of a key. Raises KeyError where the catalogue lacks it."""
        return self._texts[message]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with `{name}` places filled in."""
        text = self.gettext(key)
        return text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in self._texts


@cache
def texts(language: str) -> Texts:
    """The texts of one language."""
    return Texts(language)

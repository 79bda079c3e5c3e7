"""Who is asked about identities, at what price and how often, from a file (TOML).

    [asks]                      # who answers which kind of check
    name_id = "register"
    [caps]                      # of questions about one card; never above what the networks allow
    wrong_in_a_row = 2
    a_day = 10
    [provider.register]
    url = "https://register.example/check"
    convention = "detailed"     # how codes are read: simple or detailed
    code_path = ["data", "code"]
    prices = { name_id = 15, four_factor = 25 }                     # minor units, paid for each question
    names = { order_id = "order", kind = "type", name = "xm", id_number = "sfz" }
    headers = { Authorization = { file = "/run/secrets/register" } }        # or a text that is no secret
    [provider.try]
    simulated = 7               # a seed, instead of a URL: answers from stated rates, for trials

All further numbers of `HttpSettings` (timeout_s, deadline_s, tries, ...) may stand in a provider's table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from evenkeel.decisions.identity.providers import HttpSettings, http_provider
from evenkeel.decisions.identity.simulator import PRICES, SimulatedProvider
from evenkeel.decisions.identity.verification import CONVENTIONS, AttemptCaps, CheckKind, Provider
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput

_NUMBERS = tuple(
    field.name for field in fields(HttpSettings) if field.type in ("float", "int")
)  # fmt: skip
_OF_HTTP = {"url", "convention", "code_path", "prices", "names", "headers", *_NUMBERS}


@dataclass(frozen=True, slots=True)
class Simulated:
    """A provider that answers from stated rates."""

    name: str
    seed: int
    prices: Mapping[CheckKind, int]


@dataclass(frozen=True, slots=True)
class Setup:
    """Providers by name, which of them answers which kind, and how often a card may be asked about."""

    providers: Mapping[str, HttpSettings | Simulated]
    asks: Mapping[CheckKind, str]
    caps: AttemptCaps

    def price_minor(self, kind: CheckKind) -> int:
        """What a question of a kind costs, in minor units."""
        return self.providers[self.asks[kind]].prices.get(kind, 0)

    @contextmanager
    def provider(self, kind: CheckKind, clock: Clock) -> Iterator[Provider]:
        """Whoever answers a kind, as long as the context lasts. Raises InvalidInput if nobody does."""
        if kind not in self.asks:
            raise InvalidInput(f"Nobody is asked for {kind}.", f'Write `{kind} = "PROVIDER"` under [asks].')
        chosen = self.providers[self.asks[kind]]
        if isinstance(chosen, Simulated):
            yield SimulatedProvider(chosen.seed, clock, prices=chosen.prices, name=chosen.name)
        else:
            with http_provider(chosen, clock) as provider:
                yield provider


def read_setup(text: str, secret: Callable[[str], str]) -> Setup:
    """A set-up from its text. secret: reads the file that a header names.

    Raises InvalidInput naming the entry at fault and what is allowed; no header's value is ever shown.
    """
    try:
        given = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"The set-up is not TOML: {error}.") from None
    _known(given, {"asks", "caps", "provider"}, "the set-up")
    tables = _table(given, "provider")
    providers = {name: _provider(name, _table(tables, name), secret) for name in tables}
    asks = {_kind(kind, "[asks]"): str(name) for kind, name in _table(given, "asks").items()}
    for kind, name in asks.items():
        if name not in providers:
            raise InvalidInput(f"[asks] {kind} names {name}.", f"There is no [provider.{name}].")
    caps = _table(given, "caps")
    _known(caps, {"wrong_in_a_row", "a_day"}, "[caps]")
    return Setup(providers, asks, AttemptCaps(**caps))


def _provider(name: str, table: Mapping[str, Any], secret: Callable[[str], str]) -> HttpSettings | Simulated:
    where = f"[provider.{name}]"
    prices = {_kind(kind, where): price for kind, price in _table(table, "prices").items()}
    if any(type(price) is not int or price < 0 for price in prices.values()):
        raise InvalidInput(f"{where} `prices` are whole minor units of 0 or more.")
    if "simulated" in table:
        _known(table, {"simulated", "prices"}, where)
        if type(table["simulated"]) is not int:
            raise InvalidInput(f"{where} `simulated` is a whole number, the seed.")
        return Simulated(name, table["simulated"], prices or PRICES)
    _known(table, _OF_HTTP, where)
    if missing := sorted({"url", "convention", "code_path", "names"} - table.keys()):
        raise InvalidInput(f"{where} lacks `{missing[0]}`.", "See `evenkeel verify setup --help` for an example.")
    if table["convention"] not in CONVENTIONS:
        raise InvalidInput(f"{where} `convention` is one of {', '.join(CONVENTIONS)}.")
    path = table["code_path"]
    if not isinstance(path, list) or not all(isinstance(key, str) for key in path):
        raise InvalidInput(f"{where} `code_path` is a list of keys.")
    numbers = {key: table[key] for key in _NUMBERS if key in table}
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers.values()):
        raise InvalidInput(f"{where}: {', '.join(numbers)} are numbers.")
    return HttpSettings(
        name, str(table["url"]), {key: str(value) for key, value in _table(table, "names").items()},
        {key: _header(where, value, secret) for key, value in _table(table, "headers").items()},
        CONVENTIONS[table["convention"]], tuple(path), prices, **numbers,
    )  # fmt: skip


def _header(where: str, value: object, secret: Callable[[str], str]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and set(value) == {"file"}:
        return secret(str(value["file"])).strip()
    raise InvalidInput(f'{where} `headers` hold texts, or {{ file = "PATH" }} of a secret.')


def _table(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name, {})
    if not isinstance(found, Mapping):
        raise InvalidInput(f"`{name}` is a table.")
    return found


def _known(given: Mapping[str, Any], names: set[str], where: str) -> None:
    if unknown := sorted(given.keys() - names):
        raise InvalidInput(f"{where} has an unknown entry `{unknown[0]}`.", f"Allowed: {', '.join(sorted(names))}.")


def _kind(text: str, where: str) -> CheckKind:
    if text not in set(CheckKind):
        raise InvalidInput(f"{where} names `{text}`.", f"A kind of check is one of {', '.join(CheckKind)}.")
    return CheckKind(text)

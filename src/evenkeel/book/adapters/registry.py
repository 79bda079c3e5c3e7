"""The adapters by the names that a command takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from evenkeel.book.adapters import berka, credit_record, home_credit, lending_club, uci_credit_card
from evenkeel.book.adapters.source import Adapted
from evenkeel.kernel.errors import InvalidUsage

Adapter = Callable[[Path, float], Adapted]

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        "uci-credit-card": uci_credit_card.adapt,
        "credit-record": credit_record.adapt,
        "home-credit": home_credit.adapt,
        "lending-club": lending_club.adapt,
        "berka": berka.adapt,
    }
)


def adapter(name: str) -> Adapter:
    """An adapter by its name. Raises InvalidUsage that lists the names."""
    if name not in ADAPTERS:
        raise InvalidUsage(f"there is no adapter {name!r}.", f"Choose from {', '.join(ADAPTERS)}.")
    return ADAPTERS[name]


def description(name: str) -> str:
    """What the adapter maps, drops and assumes: its module's own words."""
    module = sys.modules[adapter(name).__module__]
    return (module.__doc__ or "").strip()

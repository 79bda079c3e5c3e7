"""Questions as the tests ask them."""

import hashlib
from typing import Any

from evenkeel.decisions.identity.verification import CheckKind, CheckRequest

NAME, NUMBER, CARD, PHONE = "欧阳测试", "11010519491231002X", "6222020200112233445", "13800138000"
SECRETS = (NAME, NUMBER, CARD, PHONE)


def token(kind: str, value: str) -> str:
    """Stands for the vault's keyed hash."""
    return f"{kind}-{hashlib.sha256(f'key {kind} {value}'.encode()).hexdigest()[:32]}"


def question(order: int = 1, kind: CheckKind = CheckKind.FOUR_FACTOR, **changed: Any) -> CheckRequest:
    """Name and number, with card and mobile for four factors; what is `changed` gives other tokens."""
    values = {"name": NAME, "id_number": NUMBER}
    if kind is CheckKind.FOUR_FACTOR:
        values |= {"card": CARD, "phone": PHONE}
    values |= changed
    card = values.get("card")
    return CheckRequest(
        kind, f"order-{order:06d}", "B1", token("subject", f"{kind}{sorted(values.items())}"), values,
        None if card is None else token("card", card),
    )  # fmt: skip

"""The identity vault: who borrowers are, sealed with a key per person, and gone for good when it is erased."""

from evenkeel.storage.vault.health import Status, findings, status
from evenkeel.storage.vault.identity import FIELDS, Identity, comparable
from evenkeel.storage.vault.keys import Keyring
from evenkeel.storage.vault.rotation import Rotated, rotate
from evenkeel.storage.vault.vault import ERASED, Erasure, Looked, Vault

__all__ = [
    "ERASED", "FIELDS", "Erasure", "Identity", "Keyring", "Looked", "Rotated", "Status", "Vault", "comparable",
    "findings", "rotate", "status",
]  # fmt: skip

"""Checkpoints: the heads of all chains in a signed file that is kept outside the database.

The file is one JSON object. `signature` is Ed25519 (RFC 8032) over the UTF-8 text of the object without it, keys
sorted, no spaces, nothing escaped that need not be; `public_key` is the signer's, 32 bytes; both in hex.
"""

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from evenkeel.kernel.errors import Conflict, InvalidInput, InvalidUsage, NotPermitted
from evenkeel.storage.chain import Checkpoint, Head
from evenkeel.storage.files import write_new, writing

FORMAT = "evenkeel-checkpoint-1"


@dataclass(frozen=True, slots=True)
class Seal:
    """Where a checkpoint goes, and the key that signs it."""

    path: Path
    key: Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checkpoint from a file with a good signature.

    signer: fingerprint of the key. known: the caller named that key; otherwise only the file names it, and whoever can
    write the file can write another key into it.
    """

    path: Path
    checkpoint: Checkpoint
    signer: str
    known: bool


def fingerprint(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of SHA-256 over the key's 32 bytes: enough to compare by eye."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def prepare(path: Path, key_path: Path, workspace: Path) -> Seal:
    """Look whether a checkpoint can be written, and read its key; a key is made at `key_path` where there is none.

    A new key is an Ed25519 private key in PEM (PKCS 8) that only its owner may read; its public key goes beside it, to
    `key_path` with `.pub` added. Raises InvalidUsage if either lies in the workspace or has no folder, Conflict if
    `path` is there already, NotPermitted if others may read the key, InvalidInput if it is no such key, Unavailable if
    the disk refuses.
    """
    for option, place in (("--checkpoint", path), ("--key", key_path)):
        if not place.parent.is_dir():
            raise InvalidUsage(f"there is no folder {place.parent} for {option}.", "Make it, or choose another.")
        if place.resolve().is_relative_to(workspace.expanduser().resolve()):
            raise InvalidUsage(
                f"{option} {place} lies in the workspace, where whoever changes the record can change it too.",
                "Name a place that the database's users cannot write: another machine's disk, a vault, a stick.",
            )
    if path.exists():
        raise Conflict(f"{path} is there already, and a checkpoint is never replaced.", "Choose a new name.")
    return Seal(path, _key(key_path))


def _key(path: Path) -> Ed25519PrivateKey:
    beside = path.with_name(f"{path.name}.pub")
    if not path.exists():
        if beside.exists():
            raise Conflict(f"{beside} is there, but its key {path} is not.", "Bring the key back, or name a new one.")
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with writing(path):
            write_new(path, private.decode(), 0o600)
            write_new(beside, public.decode(), 0o644)
        return key
    if path.stat().st_mode & 0o077:
        raise NotPermitted(f"Others than the owner may read the key {path}.", f"Run `chmod 600 {path}`.")
    content = _bytes(path)
    try:
        found = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "private") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return found


def _no_key(path: Path, kind: str) -> InvalidInput:
    return InvalidInput(
        f"{path} holds no Ed25519 {kind} key in PEM without a pass phrase.",
        "`evenkeel doctor --checkpoint FILE --key NEW` makes NEW and NEW.pub.",
    )


def write(seal: Seal, checkpoint: Checkpoint) -> str:
    """Sign and write a checkpoint; returns the signer's fingerprint. Raises Unavailable if the disk refuses."""
    public = seal.key.public_key()
    document = {
        "format": FORMAT,
        "made_at": checkpoint.made_at.astimezone(UTC).isoformat(),
        "settled_seq": checkpoint.settled_seq,
        "facts": checkpoint.facts,
        "chains": [asdict(head) for head in checkpoint.heads],
        "public_key": public.public_bytes_raw().hex(),
    }
    document["signature"] = seal.key.sign(_signed(document)).hex()
    with writing(seal.path):
        write_new(seal.path, json.dumps(document, indent=1) + "\n", 0o644)
    return fingerprint(public)


def _signed(document: dict[str, object]) -> bytes:
    body = {name: value for name, value in document.items() if name != "signature"}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read(path: Path, public_key: Path | None = None) -> Sealed:
    """A checkpoint whose signature is good.

    public_key: a PEM file with the key that must have signed it. Raises InvalidUsage if a file is missing, InvalidInput
    if it is not a checkpoint (a key), NotPermitted if the signature is another's or does not fit the content.
    """
    content = _bytes(path)
    try:
        document = json.loads(content)
        signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(document["public_key"]))
        signature = bytes.fromhex(document["signature"])
        heads = tuple(Head(**chain) for chain in document["chains"])
        checkpoint = Checkpoint(datetime.fromisoformat(document["made_at"]), document["settled_seq"], heads)
        numbers = [checkpoint.settled_seq, *(number for head in heads for number in (head.number, head.facts))]
        hashes = [bytes.fromhex(head.hash) for head in heads]
        writers = [str(uuid.UUID(head.writer)) for head in heads]
        if document["format"] != FORMAT or {*map(type, numbers)} != {int} or len({*writers}) != len(hashes):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is not a checkpoint of this version of evenkeel.",
            "Name a file that `evenkeel doctor --checkpoint` wrote; if it is one, it was damaged or changed.",
        ) from error
    known = _public_key(public_key) if public_key else signer
    if known != signer:
        raise NotPermitted(
            f"{path} was signed by the key {fingerprint(signer)}, not by {fingerprint(known)} in {public_key}.",
            "Do not rely on it; find out who made it.",
        )
    try:
        signer.verify(signature, _signed(document))
    except InvalidSignature as error:
        raise NotPermitted(
            f"{path} was changed after it was signed.", "Do not rely on it; take another copy of that checkpoint."
        ) from error
    return Sealed(path, checkpoint, fingerprint(signer), public_key is not None)


def _public_key(path: Path) -> Ed25519PublicKey:
    content = _bytes(path)
    try:
        found = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "public") from error
    if not isinstance(found, Ed25519PublicKey):
        raise _no_key(path, "public")
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidUsage(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error

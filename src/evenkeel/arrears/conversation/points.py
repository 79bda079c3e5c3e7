"""The table of points: what each feature says for each intent and, of a hardship, for each cause.

A text's points for an intent are the intent's own and, block by block, the weighted mean of what its features say: the
sum of rarity x points over the block, divided by the length of the rarities, times the block's weight (a linear model
over TF-IDF of unit length, Salton & Buckley 1988). Points divided by the temperature are logits of probabilities.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenkeel.arrears.conversation.corpus import CAUSES, INTENTS
from evenkeel.arrears.conversation.deciding import Levels
from evenkeel.arrears.conversation.features import BLOCKS
from evenkeel.kernel.errors import InvalidInput

FloatArray = NDArray[np.float64]
GRAIN = 1024.0  # points are kept as whole parts of this
VERSION = 2


@dataclass(frozen=True, slots=True)
class Points:
    """rows: feature ("c:...") -> its row. rarity: of each row. points: (rows, intents + causes). own: of each column.

    temperatures: of the intents and of the causes. levels: from which probability on an intent is held. digest: of the
    phrases that it was trained on.
    """

    rows: Mapping[str, int] = field(repr=False)
    rarity: FloatArray = field(repr=False)
    points: FloatArray = field(repr=False)
    own: FloatArray = field(repr=False)
    weights: Mapping[str, float]
    temperatures: tuple[float, float]
    levels: Levels
    digest: str
    figures: Mapping[str, Any] = field(repr=False)

    def score(self, found: Mapping[str, Sequence[str]]) -> FloatArray:
        """Points of a text for the intents, then for the causes: (intents + causes,)."""
        total = self.own.copy()
        for block in BLOCKS:
            rows = [row for one in found[block] if (row := self.rows.get(f"{block}:{one}")) is not None]
            if rows:
                rarity = self.rarity[rows]
                total += (self.weights[block] / np.sqrt(rarity @ rarity)) * (rarity @ self.points[rows])
        return total

    def chances(self, found: Mapping[str, Sequence[str]]) -> tuple[FloatArray, FloatArray]:
        """Probabilities of the intents, and of the causes if it is a hardship. Each sums to 1."""
        total = self.score(found)
        cut = len(INTENTS)
        return softmax(total[:cut] / self.temperatures[0]), softmax(total[cut:] / self.temperatures[1])


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities of logits along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


@cache
def shipped_points() -> Points:
    """The table that the project ships."""
    return read_points((files("evenkeel.arrears.conversation") / "points.npz").read_bytes())


def to_bytes(points: Points) -> bytes:
    """The table as a .npz without pickles; the same table gives the same bytes."""
    about = {
        "version": VERSION, "intents": INTENTS, "causes": CAUSES, "weights": points.weights,
        "temperatures": points.temperatures, "levels": asdict(points.levels), "digest": points.digest,
        "figures": points.figures,
    }  # fmt: skip
    tables: dict[str, NDArray[Any]] = {
        "about": np.frombuffer(json.dumps(about, sort_keys=True, ensure_ascii=False).encode(), np.uint8),
        "features": np.frombuffer("\n".join(points.rows).encode(), np.uint8),
        "rarity": np.round(points.rarity * GRAIN).astype(np.int16),
        "points": np.round(points.points * GRAIN).astype(np.int16),
        "own": np.round(points.own * GRAIN).astype(np.int32),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, table in tables.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, table, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))  # no clock: the same bytes
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return file.getvalue()


def read_points(content: bytes) -> Points:
    """A table from `to_bytes`. Raises InvalidInput where it is another's, or for other intents."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as tables:
            about = json.loads(tables["about"].tobytes())
            names = tables["features"].tobytes().decode().split("\n")
            rarity, points, own = (tables[name] / GRAIN for name in ("rarity", "points", "own"))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"This is not a table of points: {error}.", "Make one with `phrases --train`.") from None
    if about.get("version") != VERSION or tuple(about["intents"]) != INTENTS or tuple(about["causes"]) != CAUSES:
        raise InvalidInput("The table of points is for other intents.", "Make it again with `phrases --train`.")
    if points.shape != (len(names), len(INTENTS) + len(CAUSES)) or own.shape != points.shape[1:]:
        raise InvalidInput("The table of points has lost rows or columns.", "Make it again with `phrases --train`.")
    first, second = about["temperatures"]
    return Points(
        {name: row for row, name in enumerate(names)}, rarity, points, own, about["weights"], (first, second),
        Levels(**about["levels"]), about["digest"], about["figures"],
    )  # fmt: skip


def write_points(points: Points, place: Path) -> None:
    """Put a table into a file."""
    place.write_bytes(to_bytes(points))

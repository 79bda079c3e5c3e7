"""Small pictures in a terminal: bars and lines of blocks, as wide in Chinese as in English."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"


def bar(share: float, width: int = 24) -> str:
    """A bar of a share of `width` cells; anything above 0 is seen."""
    eighths = max(round(min(max(share, 0.0), 1.0) * width * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def spark(values: Sequence[float]) -> str:
    """A line of blocks from 0 to the greatest value."""
    top = max(values, default=0.0)
    return "".join(_LEVELS[min(int(8 * max(value, 0.0) / top), 7)] if top > 0 else _LEVELS[0] for value in values)


def padded(text: str, width: int) -> str:
    """A text filled up to so many cells of a terminal."""
    return text + " " * max(width - cell_len(text), 0)

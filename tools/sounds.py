"""Writes the tables of characters in `arrears/messages/characters/` from Unicode's own (CLDR, through ICU 72).

sounds.txt: a syllable with its tone, then the characters of GB 2312 that are read so. traditional.txt: pairs of a
traditional character and the simplified one. Run once; ICU is not needed by evenkeel itself.

    python tools/sounds.py src/evenkeel/arrears/messages/characters
"""

import ctypes
import sys
from collections import defaultdict
from pathlib import Path

# The reading that debts ask for, where CLDR gives another one first.
READINGS = {"还": "huán", "长": "zhǎng", "行": "xíng", "曝": "bào", "传": "chuán", "折": "zhé", "吓": "xià", "卡": "kǎ"}
ICU = "72"


def _transliterator(name: str):
    library = ctypes.CDLL(f"libicui18n.so.{ICU}")
    opened, failed = getattr(library, f"utrans_openU_{ICU}"), ctypes.c_int(0)
    opened.restype = ctypes.c_void_p
    identifier = (ctypes.c_uint16 * len(name))(*name.encode("ascii"))
    handle = opened(identifier, len(name), 0, None, -1, None, ctypes.byref(failed))

    def transliterate(text: str) -> str:
        units = text.encode("utf-16-le")
        length, room = len(units) // 2, len(units) * 6 + 64
        buffer = (ctypes.c_uint16 * room)()
        ctypes.memmove(buffer, units, len(units))
        size, limit, code = ctypes.c_int32(length), ctypes.c_int32(length), ctypes.c_int(0)
        call = getattr(library, f"utrans_transUChars_{ICU}")
        call(ctypes.c_void_p(handle), buffer, ctypes.byref(size), room, 0, ctypes.byref(limit), ctypes.byref(code))
        return bytes(buffer)[: size.value * 2].decode("utf-16-le")

    return transliterate


def main(folder: Path) -> None:
    read, simplify = _transliterator("Han-Latin"), _transliterator("Traditional-Simplified")
    common = [character for code in range(0x4E00, 0x9FA6) if (character := chr(code)).encode("gb2312", errors="ignore")]
    sounds = defaultdict(list)
    for character in common:
        sounds[READINGS.get(character) or read(character)].append(character)
    lines = [f"{sound} {''.join(characters)}" for sound, characters in sorted(sounds.items())]
    (folder / "sounds.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    known = set(common)
    pairs = []
    for code in range(0x4E00, 0x9FA6):
        plain = simplify(chr(code))
        if chr(code) not in known and len(plain) == 1 and plain in known:
            pairs.append(chr(code) + plain)
    rows = [" ".join(pairs[first : first + 30]) for first in range(0, len(pairs), 30)]
    (folder / "traditional.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

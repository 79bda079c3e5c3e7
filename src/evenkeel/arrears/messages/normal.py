"""Text as it is meant: evasions undone, each unit knowing where in the original it was written.

A unit is a Chinese character or a word of Latin letters. Folded away are: full width and other forms that Unicode
calls compatible (NFKC, UAX 15), case, accents, invisible characters, emoji and marks inside words, traditional
characters, characters written as their parts, letters of other alphabets that look alike (UTS 39), digits and signs for
letters, letters repeated, spread or glued, one slip in a long word, and pinyin in place of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from itertools import groupby

Key = int | str  # of a unit: the number of a syllable, or a word

_DROP = "\x00"
# Letters of other alphabets, as pairs with the Latin letter that they look like (UTS 39, confusables).
_PAIRS = """
аa еe оo рp сc хx уy кk мm нh тt вb ѕs іi їi јj һh ԁd ԛq ԝw гr лl пn иu дd зz йu ёe ьb шw щw αa βb
γy εe ηn ιi κk νv οo ρp σo τt υu χx ωw μu ɑa ɡg ɩi ıi ſs ʟl ɪi ɴn ʀr ꜱs ᴀa ʙb ᴄc ᴅd ᴇe ꜰf ɢg ʜh ᴊj
ᴋk ᴍm ᴏo ᴘp ᴛt ᴜu ᴠv ᴡw ʏy ᴢz øo łl đd ßs
"""
_LOOK_ALIKE = {pair[0]: pair[1] for pair in _PAIRS.split()}
# Signs that the compatibility forms of Unicode leave apart.
_SIGNS = {
    "‘": "'",
    "’": "'",
    "ʼ": "'",
    "`": "'",
    "´": "'",
    "＇": "'",
    "｡": "。",
    "£": "$",
    "€": "$",
    "¥": "$",
    "￥": "$",
    "〇": "零",
    "…": ".",
}
_TOKEN = re.compile(
    r"(?P<word>[a-z0-9@$]+(?:[!|'*#]+[a-z0-9@$]+)*[*#]*)|(?P<han>[\u3400-\u9fff])|(?P<stop>[。！？!?;；\n\r]+|\.(?=[\s\u3400-\u9fff]|$))"
    r"|(?P<mark>[，,、:：])|(?P<quote>[“”「」『』\"])"
)
_LEET = (
    str.maketrans("01345789@$!|", "oieastbgasil"),
    str.maketrans("01345789@$!|", "olesstbgasii"),
)
_NO_SIGNS = str.maketrans("", "", "*#!|'")
_SHORT = {
    "wont": "will not", "won't": "will not", "can't": "can not", "cant": "can not", "cannot": "can not",
    "dont": "do not",
    "doesnt": "does not", "didnt": "did not", "isnt": "is not", "arent": "are not", "wasnt": "was not",
    "wouldnt": "would not", "shouldnt": "should not", "couldnt": "could not", "havent": "have not", "hasnt": "has not",
    "u": "you", "ur": "your", "youre": "you are", "youll": "you will", "youve": "you have", "r": "are", "im": "i am",
    "ill": "ill", "gonna": "going to", "gotta": "have to", "wanna": "want to", "ya": "you", "yr": "your",
    "pls": "please", "plz": "please", "ppl": "people", "tmrw": "tomorrow", "tmr": "tomorrow", "2moro": "tomorrow",
    "2day": "today", "2nite": "tonight", "b4": "before", "theyll": "they will", "itll": "it will", "thats": "that is",
    "shan't": "will not", "ain't": "is not", "aint": "is not", "lets": "let us", "let's": "let us",
}  # fmt: skip
_ENDINGS = {"'ll": " will", "'re": " are", "'ve": " have", "'m": " am", "'d": " would", "n't": " not", "'s": ""}
_FILLERS = frozenset(["the", "a", "an", "just", "really", "also", "even", "simply", "very", "please", "kindly"])


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a text, side by side.

    keys: what a unit is compared by: a syllable's number for a character, else the word. surfaces: the character or the
    word itself, "" for a syllable written out. starts, ends: its place in the original text. sentences: the number of
    its sentence. broken: whether a mark of punctuation or the end of a sentence stands before it. quoted: whether it
    stands in quotation marks.
    """

    keys: list[Key]
    surfaces: list[str]
    starts: list[int]
    ends: list[int]
    sentences: list[int]
    broken: list[bool]
    quoted: list[bool]


class _Fold(dict[int, str]):
    """Code point -> what it is compared as: one character, several, or the sign that it is dropped."""

    def __init__(self, simplified: Mapping[str, str]) -> None:
        super().__init__()
        self._simplified = simplified

    def __missing__(self, point: int) -> str:
        self[point] = folded = self._fold(chr(point))
        return folded

    def _fold(self, character: str) -> str:
        if character in "\n\r":
            return character
        if character in _SIGNS:
            return _SIGNS[character]
        kind = unicodedata.category(character)
        if kind in ("Cf", "Mn", "Me", "Cc", "Cn", "Co", "Cs"):
            return " " if character == "\t" else _DROP
        if 0x1F1E6 <= ord(character) <= 0x1F1FF:
            return chr(ord("a") + ord(character) - 0x1F1E6)
        if "\u3400" <= character <= "\u9fff":
            return self._simplified.get(character, character)
        plain = unicodedata.normalize("NFKD", character).lower()
        plain = "".join(one for one in plain if unicodedata.category(one) not in ("Mn", "Me"))
        return "".join(self._simplified.get(one, _LOOK_ALIKE.get(one, one)) for one in plain) or _DROP


@cache
def _english() -> frozenset[str]:
    """English words that are nobody's slip: words that at least three documents use and a dictionary knows."""
    folder = files("evenkeel.arrears.messages") / "characters"
    return frozenset((folder / "english.txt").read_text(encoding="utf-8").split())


@dataclass(frozen=True, slots=True)
class Sounds:
    """How characters are read. syllable: character -> number of its syllable. toned: character -> syllable with tone.

    syllables: syllable in plain letters -> number. simplified: traditional character -> simplified one. splits: parts
    of a character, side by side -> the character. pairs: words of two characters.
    """

    syllable: Mapping[str, int]
    toned: Mapping[str, str]
    syllables: Mapping[str, int]
    simplified: Mapping[str, str]
    splits: Mapping[str, str]
    pairs: frozenset[str]
    fold: _Fold

    def key(self, character: str) -> Key:
        """What a character is compared by; one that is rare, by itself."""
        return self.syllable.get(character, character)


def _plain(sound: str) -> str:
    letters = unicodedata.normalize("NFD", sound.replace("ü", "v"))
    return "".join(one for one in letters if unicodedata.category(one) != "Mn").replace("ü", "v")


@cache
def sounds() -> Sounds:
    """The tables in `characters/`; `tools/sounds.py` says where they come from."""
    folder = files("evenkeel.arrears.messages") / "characters"
    toned: dict[str, str] = {}
    for line in (folder / "sounds.txt").read_text(encoding="utf-8").split("\n"):
        if line:
            sound, characters = line.split()
            toned |= dict.fromkeys(characters, sound)
    plain = {sound: _plain(unicodedata.normalize("NFC", sound)) for sound in dict.fromkeys(toned.values())}
    numbers = {name: number for number, name in enumerate(dict.fromkeys(plain.values()))}
    simplified = {pair[0]: pair[1] for pair in (folder / "traditional.txt").read_text(encoding="utf-8").split()}
    splits = {}
    for line in (folder / "splits.txt").read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            parts, whole = line.split()
            splits[parts] = whole
    syllable = {character: numbers[plain[sound]] for character, sound in toned.items()}
    lines = (folder / "pairs.txt").read_text(encoding="utf-8").split("\n")
    pairs = frozenset(line[0] + second for line in lines for second in line[2:])
    return Sounds(syllable, toned, numbers, simplified, splits, pairs, _Fold(simplified))


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: one grammar's words are told from another's by identity
class Words:
    """The words that phrases are made of. forms: a form of a word -> the word. starts: beginnings of the words of
    four letters and more. slips: a long word with one letter taken out -> the word. known: words that are left alone,
    alike as they may look. masked: words that are read behind stars as well.
    """

    forms: Mapping[str, str]
    starts: frozenset[str]
    slips: Mapping[str, str]
    known: frozenset[str]
    masked: tuple[str, ...]

    @classmethod
    def of(cls, vocabulary: Iterable[str], known: Iterable[str], masked: Iterable[str]) -> Words:
        """Of the words in phrases, of words that only look like them, and of words that are often masked."""
        words = sorted(set(vocabulary) | set(_FILLERS), key=lambda word: (len(word), word))
        forms: dict[str, str] = {}
        for word in words:
            if word not in forms:
                for form in (word,) if word in _FILLERS else _inflected(word):
                    forms.setdefault(form, word)
        plain = (frozenset(known) | _english()) - set(forms)
        slips: dict[str, str] = {}
        for form, word in forms.items():
            if len(form) >= 6:
                for place in range(1, len(form)):
                    slips.setdefault(form[:place] + form[place + 1 :], word)
        long = [form for form in forms if len(form) >= 4]
        return cls(
            forms,
            frozenset(form[:end] for form in long for end in range(1, len(form) + 1)),
            slips,
            plain,
            tuple(masked),
        )

    def has(self, token: str) -> bool:
        """Whether a token is a word of the phrases, or one that is left alone."""
        return token in self.forms or token in self.known

    def slip(self, token: str) -> str | None:
        """The long word that a token misses by one letter left out, put in, changed, or by two that changed places."""
        if len(token) < 5 or token in self.known:
            return None
        if len(token) >= 5 and token in self.slips:
            return self.slips[token]
        for place in range(1, len(token)):
            less = token[:place] + token[place + 1 :]
            if len(token) >= 7 and less in self.forms and len(less) >= 6:
                return self.forms[less]
            if len(token) >= 6 and less in self.slips and self._near(token, self.slips[less]):
                return self.slips[less]
        return None

    def _near(self, token: str, word: str) -> bool:
        forms = [form for form in _inflected(word) if len(form) == len(token)]
        return any(_changed(token, form) for form in forms)


def _changed(one: str, other: str) -> bool:
    """Whether two words of a length differ in one letter, or in two neighbours that changed places."""
    different = [place for place in range(len(one)) if one[place] != other[place]]
    if len(different) == 1:
        return True
    return (
        len(different) == 2
        and different[1] == different[0] + 1
        and one[different[0]] == other[different[1]]
        and one[different[1]] == other[different[0]]
    )


@cache
def _inflected(word: str) -> tuple[str, ...]:
    if len(word) < 3:
        return (word,)
    forms = [word, word + ("es" if word.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")]
    if word.endswith("e"):
        forms += [word + "d", word[:-1] + "ing"]
    elif word.endswith("y") and word[-2] not in "aeiou":
        forms += [word[:-1] + "ies", word[:-1] + "ied", word + "ing"]
    else:
        doubled = word[-1] not in "aeiouwxys" and word[-2] in "aeiou" and word[-3] not in "aeiou"
        if doubled:
            forms += [word + word[-1] + "ed", word + word[-1] + "ing"]
        if not doubled or len(word) > 4:
            forms += [word + "ed", word + "ing"]
    return tuple(forms)


def words_of(phrase: str) -> list[str]:
    """A phrase in Latin letters as the words it is compared by."""
    parts: list[str] = []
    for token in phrase.lower().replace("’", "'").split():
        parts += _spoken(token)
    return [part for part in parts if part not in _FILLERS]


def _spoken(token: str) -> list[str]:
    """won't -> will not, you'll -> you will, boss's -> boss."""
    if token in _SHORT:
        return _SHORT[token].split()
    if "'" in token:
        for ending, said in _ENDINGS.items():
            if token.endswith(ending):
                return (token.removesuffix(ending) + said).split()
        return [token.replace("'", "")]
    return [token]


@dataclass(slots=True)
class _Token:
    """A word or a character as it was found: its text, its place, and what stands before it."""

    text: str
    start: int
    end: int
    han: bool
    sentence: int
    broken: bool
    quoted: bool


def read(text: str, words: Words) -> tuple[Units, Units | None]:
    """The units of a text; and once more with pinyin read as syllables, where the text seems to hold some."""
    tables = sounds()
    tokens = _tokens(text, tables)
    if any(not token.han for token in tokens):
        tokens = _joined(tokens, words)
    plain = _units(tokens, words, tables, frozenset())
    tokens = _letters(tokens) if len({token.han for token in tokens}) == 2 else tokens
    latin = [token for token in tokens if not token.han]
    if not latin:
        return plain, None
    mixed = len(latin) < len(tokens)
    spelled = [_syllables(token.text) is not None and not (mixed and words.has(token.text)) for token in latin]
    if not any(spelled) or (not mixed and sum(spelled) < 0.6 * len(latin)):
        return plain, None
    syllables = {token.start for token, one in zip(latin, spelled, strict=True) if one}
    return plain, _units(tokens, words, tables, syllables)


def _tokens(text: str, tables: Sounds) -> list[_Token]:
    plain = text.translate(tables.fold)
    index: Sequence[int] | None = None
    if len(plain) != len(text) or _DROP in plain:
        letters: list[str] = []
        places: list[int] = []
        for place, character in enumerate(text):
            for one in tables.fold[ord(character)]:
                if one != _DROP:
                    letters.append(one)
                    places.append(place)
        plain, index = "".join(letters), places
    found: list[_Token] = []
    sentence, broken, quoted = 0, True, False
    for match in _TOKEN.finditer(plain):
        kind = match.lastgroup
        if kind == "stop":
            sentence, broken = sentence + 1, True
            continue
        if kind == "mark":
            broken = True
            continue
        if kind == "quote":
            quoted = match.group() in "“「『" or (match.group() == '"' and not quoted)
            continue
        start, end = match.span()
        token = match.group()
        if index is not None:
            start, end = index[start], index[end - 1] + 1
        found.append(_Token(token, start, end, kind == "han", sentence, broken, quoted))
        broken = False
    return _whole(found, tables) if any(token.han for token in found) else found


def _whole(tokens: list[_Token], tables: Sounds) -> list[_Token]:
    """Characters written as their parts put together."""
    line = "".join(token.text if token.han else " " for token in tokens)
    if not any(parts in line for parts in tables.splits):
        return tokens
    whole: list[_Token] = []
    place = 0
    while place < len(tokens):
        for size in (3, 2):
            parts = line[place : place + size]
            if parts in tables.splits and len(parts) == size:
                first, last = tokens[place], tokens[place + size - 1]
                whole.append(replace(first, text=tables.splits[parts], end=last.end, han=True))
                place += size
                break
        else:
            whole.append(tokens[place])
            place += 1
    return whole


def _joined(tokens: list[_Token], words: Words) -> list[_Token]:
    """Words that were spread over several tokens put together: `j a i l`, `ja il`."""
    joined: list[_Token] = []
    place = 0
    while place < len(tokens):
        size = 1 if tokens[place].han else _spread(tokens, place, words)
        first, last = tokens[place], tokens[place + size - 1]
        if size > 1:
            text = "".join(token.text.removesuffix("'s") for token in tokens[place : place + size])
            joined.append(replace(first, text=_legible(text, words), end=last.end))
        else:
            joined.append(first)
        place += size
    return joined


def _letters(tokens: list[_Token]) -> list[_Token]:
    """Single letters in a row among characters put together where they make pinyin: `z u o 牢`."""
    joined: list[_Token] = []
    for single, some in groupby(tokens, key=lambda token: not token.han and len(token.text) == 1):
        run = list(some)
        text = "".join(token.text for token in run)
        if single and len(run) > 1 and _syllables(text) is not None:
            run = [replace(run[0], text=text, end=run[-1].end)]
        joined += run
    return joined


def _spread(tokens: list[_Token], place: int, words: Words) -> int:
    """How many tokens from this one on make one word of the vocabulary; 1 if only itself does."""
    text, best = "", 1
    for size in range(1, min(len(tokens) - place, 16) + 1):
        token = tokens[place + size - 1]
        if token.han or (size > 1 and token.sentence != tokens[place].sentence):
            break
        text += token.text.removesuffix("'s")
        legible = _legible(text, words) if not text.isalpha() else text
        if legible not in words.starts and text not in words.forms:
            break
        if size > 1 and legible in words.forms:
            pieces = [one.text for one in tokens[place : place + size]]
            single = all(len(piece) == 1 for piece in pieces)
            strange = any(piece not in words.forms and len(piece) > 1 for piece in pieces)
            if single or (strange and len(legible) >= 4):
                best = size
    return best


def _legible(token: str, words: Words) -> str:
    """A token with signs and digits read as letters, where that makes a word."""
    if token.isalpha():
        return token
    bare = token.translate(_NO_SIGNS)
    if bare in words.forms:
        return bare
    for letters in _LEET:
        plain = token.translate(letters).translate(_NO_SIGNS)
        if plain in words.forms or plain in words.starts:
            return plain
    return token


def _units(tokens: list[_Token], words: Words, tables: Sounds, pinyin: Container[int]) -> Units:
    """The tokens as units. pinyin: where the tokens begin that are read as syllables."""
    rows: list[tuple[Key, str, int, int, int, bool, bool]] = []
    syllable = tables.syllable
    for token in tokens:
        text, start, end, sentence, quoted = token.text, token.start, token.end, token.sentence, token.quoted
        if token.han:
            rows.append((syllable.get(text, text), text, start, end, sentence, token.broken, quoted))
            continue
        broken = token.broken
        for key, surface in _keys(token, words, start in pinyin):
            rows.append((key, surface, start, end, sentence, broken, quoted))
            broken = False
    return Units(*map(list, zip(*rows, strict=True))) if rows else Units([], [], [], [], [], [], [])


def _keys(token: _Token, words: Words, pinyin: bool) -> Iterable[tuple[Key, str]]:
    """What a token in Latin letters is compared by, and its words."""
    if pinyin and (syllables := _syllables(token.text)) is not None:
        return ((number, "") for number in syllables)
    return ((word, word) for word in _meant(token.text, words) if word not in _FILLERS)


@lru_cache(maxsize=1 << 16)
def _meant(token: str, words: Words) -> tuple[str, ...]:
    """The words of the vocabulary that a token stands for; the token itself where there are none."""
    known = words.forms.get(token)
    if known is not None and token not in _SHORT:
        return (known,)
    if token in _SHORT or "'" in token:
        return tuple(words.forms.get(part, part) for part in _spoken(token))
    if token in words.known or token.isdigit():
        return (token,)
    if not token.isalpha():
        return _signed(token, words)
    for squeezed in (re.sub(r"(.)\1{2,}", r"\1\1", token), re.sub(r"(.)\1+", r"\1", token)):
        if squeezed != token and squeezed in words.forms:
            return (words.forms[squeezed],)
    near = words.slip(token)
    return (near,) if near is not None else _glued(token, words) or (token,)


def _signed(token: str, words: Words) -> tuple[str, ...]:
    """The words of a token with signs or digits in it: masked, for letters, or between words."""
    if token[0] == "$" and token[1:2].isdigit():
        return "$", token[1:]
    if "*" in token or "#" in token:
        shape = re.compile(re.sub(r"[*#]", "[a-z]", re.escape(token).replace(r"\*", "*").replace(r"\#", "#")) + r"\Z")
        for word in words.masked:
            if shape.match(word):
                return (words.forms.get(word, word),)
    plain = _legible(token, words)
    if plain in words.forms:
        return (words.forms[plain],)
    pieces = [piece for piece in re.split(r"[!|@$*#]+", token) if piece]
    return tuple(part for piece in pieces for part in ((piece,) if piece == token else _meant(piece, words)))


def _glued(token: str, words: Words) -> tuple[str, ...]:
    """`gotojail` as its words: the fewest of the vocabulary that make up a token; () if none do."""
    if not 8 <= len(token) <= 60:
        return ()
    best: list[list[str] | None] = [[]] + [None] * len(token)
    for end in range(1, len(token) + 1):
        for start in range(max(0, end - 14), end):
            before, piece = best[start], token[start:end]
            if before is None or piece not in words.forms or (len(piece) < 2 and piece not in "ai"):
                continue
            if best[end] is None or len(before) + 1 < len(best[end] or []):
                best[end] = [*before, words.forms[piece]]
    parts = best[-1] or []
    return tuple(parts) if 2 <= len(parts) <= len(token) / 3 else ()


@lru_cache(maxsize=1 << 16)
def _syllables(token: str) -> tuple[int, ...] | None:
    """The syllables of pinyin that a token is made of, or None. Digits for tones are passed over."""
    token = re.sub(r"[1-5]", "", token)
    if not 2 <= len(token) <= 40 or not token.isalpha():
        return None
    numbers = sounds().syllables
    best: list[list[int] | None] = [[]] + [None] * len(token)
    for end in range(1, len(token) + 1):
        for start in range(max(0, end - 6), end):
            before, number = best[start], numbers.get(token[start:end])
            if (
                before is not None
                and number is not None
                and (best[end] is None or len(before) < len(best[end] or []) - 1)
            ):
                best[end] = [*before, number]
    return None if best[-1] is None else tuple(best[-1])

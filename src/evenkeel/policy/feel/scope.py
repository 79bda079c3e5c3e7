"""The names that a FEEL text may use, so that names with spaces and symbols are read as one (longest match)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.feel.tokens import Kind, Token, tokens_of


def plain_name(text: str) -> str:
    """A name with its white space made single, as variables are known."""
    return " ".join(text.split())


@cache
def _words(name: str) -> tuple[str, ...]:
    try:
        return tuple(token.text for token in tokens_of(name) if token.kind is not Kind.END)
    except InvalidInput:
        return ()  # a name that no expression can write


class Names:
    """A set of names, found by the tokens that a text goes on with."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Let a name be known."""
        words = _words(name)
        if not words:
            return
        found = self._by_first.setdefault(words[0], [])
        if (words, name) not in found:
            found.append((words, name))
            found.sort(key=lambda entry: -len(entry[0]))

    def match(self, tokens: Sequence[Token], place: int) -> tuple[str, int]:
        """The longest name that stands at a place, and how many tokens it takes; 0 where none does."""
        for words, name in self._by_first.get(tokens[place].text, ()):
            if len(words) == 1 or all(
                token.text == word and token.kind is not Kind.TEXT
                for token, word in zip(tokens[place : place + len(words)], words, strict=False)
            ):
                return name, len(words)
        return "", 0


class Scope:
    """What a text may name: variables, innermost last; members of contexts; and types.

    members: names of components and entries that may follow a dot or stand in a filter.
    """

    def __init__(self, variables: Iterable[str], members: Iterable[str] = (), types: Iterable[str] = ()) -> None:
        self._levels = [Names(variables)]
        self.members = Names(members)
        self.types = Names(types)
        self._filters = 0

    @contextmanager
    def text(self) -> Iterator[None]:
        """While one text is read: levels that it enters are left again, whatever happens."""
        levels, filters = len(self._levels), self._filters
        try:
            yield
        finally:
            del self._levels[levels:]
            self._filters = filters

    def enter(self, names: Iterable[str], *, filtering: bool = False) -> None:
        """Add a level of local names; within a filter the members of its items are names too."""
        self._levels.append(Names(names))
        self._filters += filtering

    def leave(self, *, filtering: bool = False) -> None:
        """Drop the innermost level."""
        self._levels.pop()
        self._filters -= filtering

    def add(self, name: str) -> None:
        """Add a name to the innermost level."""
        self._levels[-1].add(name)

    def variable(self, tokens: Sequence[Token], place: int) -> tuple[str, int]:
        """The longest known name at a place and its count of tokens; 0 where none is known."""
        found = [level.match(tokens, place) for level in self._levels]
        if self._filters:
            found.append(self.members.match(tokens, place))
        return max(found, key=lambda match: match[1])

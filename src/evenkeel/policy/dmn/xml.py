"""A DMN file's XML as plain elements, in bounded time and memory: no DTD, no entities; size and depth have limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers.expat import ExpatError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from evenkeel.kernel.errors import InvalidInput

MOST_BYTES = 8 << 20
_MOST_DEPTH = 200
_MOST_ELEMENTS = 300_000

EVENKEEL = "https://evenkeel.dev/dmn/1"


@dataclass(slots=True)
class Element:
    """An element by its local name; `namespace` is its own, attributes of other namespaces are as `{namespace}name`."""

    name: str
    namespace: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """An attribute."""
        return self.attributes.get(name, default)

    def all(self, *names: str) -> list[Element]:
        """Children of these names, in order."""
        return [child for child in self.children if child.name in names]

    def first(self, *names: str) -> Element | None:
        """The first child of these names, or None."""
        return next((child for child in self.children if child.name in names), None)

    def inner(self, name: str) -> str:
        """The text of a child, or "" without one."""
        child = self.first(name)
        return "" if child is None else child.text


class _Builder:
    """What the parser calls: builds elements and counts. `source` is what messages call the file."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._open: list[Element] = []
        self._count = 0
        self._texts: list[list[str]] = []
        self._root: Element | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= _MOST_DEPTH:
            raise InvalidInput(
                f"{self._source} nests elements more than {_MOST_DEPTH} deep.", "No DMN file needs that."
            )
        if self._count > _MOST_ELEMENTS:
            raise InvalidInput(f"{self._source} has more than {_MOST_ELEMENTS} elements.", "Split it by imports.")
        namespace, _, name = tag[1:].rpartition("}") if tag.startswith("{") else ("", "", tag)
        element = Element(name, namespace, dict(attributes))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._texts.append([])

    def data(self, data: str) -> None:
        self._texts[-1].append(data)

    def end(self, tag: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def close(self) -> Element | None:
        return self._root


def read_xml(text: str | bytes, source: str) -> Element:
    """The root element of an XML text. source: what messages call it, such as the file's name.

    Raises InvalidInput where it is too large, too deep, not well-formed, or has a DTD or entities.
    """
    size = len(text)
    if size > MOST_BYTES:
        raise InvalidInput(f"{source} is {size >> 20} MB; a DMN file has at most {MOST_BYTES >> 20} MB.")
    parser = DefusedXMLParser(target=_Builder(source), forbid_dtd=True)
    try:
        parser.feed(text)
        root: Element | None = parser.close()
    except DefusedXmlException as error:
        raise InvalidInput(
            f"{source} declares a document type or entities.", "Remove the DOCTYPE: no DMN file needs one."
        ) from error
    except (ParseError, ExpatError, ValueError, LookupError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{source} is not well-formed XML: {error}.", "Is it a DMN file, whole?") from None
    if root is None:
        raise InvalidInput(f"{source} is empty.", "Is it a DMN file, whole?")
    return root

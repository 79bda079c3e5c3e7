"""A DMN file, versions 1.1 to 1.5, from XML to the model: graph, types, and every FEEL text parsed in its scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn import model as m
from evenkeel.policy.dmn.boxed import Boxes, type_of
from evenkeel.policy.dmn.xml import EVENKEEL, MOST_BYTES, Element, read_xml
from evenkeel.policy.feel.scope import plain_name

_NAMESPACES = {
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd": "1.1",
    "http://www.omg.org/spec/DMN/20180521/MODEL/": "1.2",
    "https://www.omg.org/spec/DMN/20191111/MODEL/": "1.3",
    "https://www.omg.org/spec/DMN/20211108/MODEL/": "1.4",
    "https://www.omg.org/spec/DMN/20230324/MODEL/": "1.5",
}
_MOST_IMPORTS = 20  # within each other
_DECIDES = ("", "grant", "limit", "authorisation")
_KINDS = {"input": "inputData", "decision": "decision", "knowledge": "businessKnowledgeModel"}

# Gives the text of the file with a namespace, or None; the second is the place that the import names.
Finder = Callable[[str, str], "tuple[bytes, str] | None"]


def read_file(path: Path) -> m.Definitions:
    """A DMN file, and those that it imports from its folder. Raises InvalidInput as read_definitions does."""
    return read_definitions(_bytes_of(path), path.name, lambda namespace, place: _beside(path, namespace, place))


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", "Check the path and its rights.") from error


def _beside(path: Path, namespace: str, place: str) -> tuple[bytes, str] | None:
    """The file of a namespace in the folder of another: that which the import names, else the first that has it."""
    others = sorted(path.parent.glob("*.dmn"))
    others.sort(key=lambda other: other.name != Path(place).name)
    for other in others:
        text = _bytes_of(other)
        try:
            if read_xml(text, other.name).get("namespace") == namespace:
                return text, other.name
        except InvalidInput:
            continue
    return None


def read_definitions(text: str | bytes, source: str, find: Finder = lambda _namespace, _place: None) -> m.Definitions:
    """The model of a DMN text. source: what messages call it. find: texts of imported namespaces.

    Raises InvalidInput where the text is no DMN, or its graph or tables are broken: an id twice, a requirement of what
    is not there, a rule with the wrong number of cells. FEEL that cannot be read is a fault of the result instead.
    """
    return _read(text, source, _Library(find))


def _read(text: str | bytes, source: str, library: _Library) -> m.Definitions:
    root = read_xml(text, source)
    if root.name != "definitions" or not _version_of(root):
        raise InvalidInput(
            f"{source} begins with <{root.name}> of {root.namespace or 'no namespace'}; it is no DMN model.",
            f"DMN {', '.join(_NAMESPACES.values())} are read; export it as one of these.",
        )
    with library.reading(root.get("namespace"), source):
        imports = tuple(
            m.Import(plain_name(child.get("name")), child.get("namespace"), library.model(child))
            for child in root.all("import")
            if child.get("importType") in _NAMESPACES
        )
    return _Reader(root, source, imports).definitions()


def _version_of(root: Element) -> str:
    """The version of DMN of a file, "" where it is none.

    Some published files put their elements into their own namespace, a slip of an older exporter; they are of 1.2.
    """
    return _NAMESPACES.get(root.namespace, "1.2" if root.namespace and root.namespace == root.get("namespace") else "")


class _Library:
    """The files that a file imports, each read once."""

    def __init__(self, find: Finder) -> None:
        self._find = find
        self._models: dict[str, m.Definitions | None] = {}
        self._open: list[str] = []

    @contextmanager
    def reading(self, namespace: str, source: str) -> Iterator[None]:
        """While a file's imports are read. Raises InvalidInput where they import it."""
        if namespace in self._open or len(self._open) >= _MOST_IMPORTS:
            raise InvalidInput(f"{source} is imported by files that it imports.", "Imports may not form a cycle.")
        self._open.append(namespace)
        yield
        self._open.pop()

    def model(self, element: Element) -> m.Definitions | None:
        """The model that an import names; None where its namespace is in no file."""
        namespace = element.get("namespace")
        if namespace not in self._models:
            found = self._find(namespace, element.get("locationURI"))
            self._models[namespace] = None if found is None else _read(found[0], found[1], self)
        return self._models[namespace]


@dataclass(frozen=True, slots=True)
class _Known:
    """An element that requirements may name."""

    kind: str
    id: str
    name: str
    alias: str = ""


class _Reader:
    def __init__(self, root: Element, source: str, imports: tuple[m.Import, ...]) -> None:
        self._root = root
        self._source = source
        self._imports = imports
        self._namespace = root.get("namespace")
        # The elements of an import without a name are as if they stood here (1.5, clause 6.3.3).
        self._unnamed = [entry.model for entry in imports if entry.model and not entry.name]
        self._known = self._elements()
        items = root.all("itemDefinition")
        imported = [entry for entry in imports if entry.model]
        members = [
            *_component_names(items), *_column_names(root),
            *(name for entry in imported for name in _all_names(entry.model)),
        ]  # fmt: skip
        types = [plain_name(item.get("name")) for item in items]
        types += [f"{entry.name}.{item.name}" for entry in imported if entry.model for item in entry.model.items]
        self._boxes = Boxes(members, types, root.get("expressionLanguage"))

    def definitions(self) -> m.Definitions:
        root = self._root
        items = tuple(self._item(child) for child in root.all("itemDefinition"))
        inputs = tuple(self._input(child) for child in root.all("inputData"))
        decisions = tuple(self._decision(child) for child in root.all("decision"))
        knowledge = tuple(self._knowledge(child) for child in root.all("businessKnowledgeModel"))
        services = tuple(self._service(child) for child in root.all("decisionService"))
        self._refuse_cycles([*decisions, *knowledge])
        for model in self._unnamed:
            inputs, decisions = inputs + model.inputs, decisions + model.decisions
            knowledge, services = knowledge + model.knowledge, services + model.services
        for entry in self._imports:
            if entry.model is None:
                message = f"the namespace {entry.namespace} is in no file of this folder."
                self._boxes.faults.append(m.Fault(f"{self._source}, import {entry.name}", message))
        return m.Definitions(
            root.get("id"), plain_name(root.get("name")), self._namespace, items, inputs, decisions, knowledge,
            services, self._imports, tuple(self._boxes.faults), _version_of(root),
        )  # fmt: skip

    def _refuse_cycles(self, elements: Sequence[m.Decision | m.KnowledgeModel]) -> None:
        """Raise InvalidInput where an element requires itself, at once or by others."""
        needs = {
            element.id: [requirement.id for requirement in element.requires if not requirement.alias]
            for element in elements
        }
        names = {element.id: element.name for element in elements}
        done: set[str] = set()
        for start in needs:
            trail: list[str] = []
            pending = [(start, False)]
            while pending:
                current, left = pending.pop()
                if left:
                    done.add(trail.pop())
                elif current in trail:
                    around = " requires ".join(names[each] for each in [*trail[trail.index(current) :], current])
                    raise InvalidInput(f"{self._source}: {around}.", "Requirements may not form a cycle.")
                elif current in needs and current not in done:
                    trail.append(current)
                    pending.append((current, True))
                    pending += [(needed, False) for needed in needs[current]]

    def _elements(self) -> Mapping[str, _Known]:
        """What a reference may name: `#id` here, `namespace#id` in imports."""
        found: dict[str, _Known] = {}
        for kind, *names in (
            ("input", "inputData"),
            ("decision", "decision"),
            ("knowledge", "businessKnowledgeModel", "decisionService"),
        ):
            for child in self._root.all(*names):
                identity, name = child.get("id"), _name_of(child)
                if not name:
                    raise InvalidInput(f"{self._source}: a {child.name} has no name.", "Give it one.")
                if identity and f"#{identity}" in found:
                    raise InvalidInput(
                        f"{self._source}: the id {identity} is there twice.", "Ids are unique in a file."
                    )
                found[f"#{identity}"] = found[f"{self._namespace}#{identity}"] = _Known(kind, identity, name)
        for entry in self._imports:
            if entry.model:
                for kind, identity, name in _elements_of(entry.model):
                    found[f"{entry.namespace}#{identity}"] = _Known(kind, identity, name, entry.name)
        return found

    # ---- Types -------------------------------------------------------------------------------------------------------

    def _item(self, element: Element) -> m.ItemDefinition:
        name = plain_name(element.get("name"))
        where = f"{self._source}, type {name}"
        scope = self._boxes.scope(())
        allowed, text = self._boxes.tests(element.first("allowedValues"), scope, f"{where}, allowed values")
        constraint, _ = self._boxes.tests(element.first("typeConstraint"), scope, f"{where}, constraint")
        function = element.first("functionItem")
        return m.ItemDefinition(
            element.get("id"), name, type_of(element), element.get("isCollection") == "true", allowed, text, constraint,
            tuple(self._item(child) for child in element.all("itemComponent")),
            None if function is None else _function_item(function),
        )  # fmt: skip

    # ---- The graph ---------------------------------------------------------------------------------------------------

    def _input(self, element: Element) -> m.InputData:
        name = _name_of(element)
        required = element.get(f"{{{EVENKEEL}}}required", "true")
        age = element.get(f"{{{EVENKEEL}}}max-age-days")
        if required not in ("true", "false"):
            raise InvalidInput(f"{self._source}, input {name}: `required` is {required!r}.", "Write true or false.")
        if age and not (age.isascii() and age.isdigit() and len(age) < 6):
            raise InvalidInput(
                f"{self._source}, input {name}: `max-age-days` is {age!r}.", "Write whole days, such as 30."
            )
        type_ref = type_of(element.first("variable"))
        return m.InputData(element.get("id"), name, type_ref, required == "true", int(age) if age else None)

    def _decision(self, element: Element) -> m.Decision:
        name = _name_of(element)
        where = f"{self._source}, decision {name}"
        decides = element.get(f"{{{EVENKEEL}}}decides")
        if decides not in _DECIDES:
            raise InvalidInput(f"{where}: it decides {decides!r}.", f"Write one of {', '.join(_DECIDES[1:])}.")
        requires = self._requires(element, where)
        expression = self._boxes.inside(element, self._boxes.scope(_variables(requires)), where)
        return m.Decision(
            element.get("id"), name, type_of(element.first("variable")), requires, expression, decides,
            element.inner("question").strip(),
        )  # fmt: skip

    def _knowledge(self, element: Element) -> m.KnowledgeModel:
        name = _name_of(element)
        where = f"{self._source}, knowledge model {name}"
        requires = self._requires(element, where)
        scope = self._boxes.scope([*_variables(requires), name])
        logic = element.first("encapsulatedLogic")
        if logic is None:
            function = m.FunctionDefinition("", "FEEL", (), None)
        else:
            function = self._boxes.function(logic, scope, where)
        return m.KnowledgeModel(element.get("id"), name, type_of(element.first("variable")), requires, function)

    def _service(self, element: Element) -> m.DecisionService:
        name = _name_of(element)
        where = f"{self._source}, decision service {name}"

        def named(word: str, kind: str) -> tuple[m.Requirement, ...]:
            return tuple(self._requirement(child.get("href"), [kind], where) for child in element.all(word))

        return m.DecisionService(
            element.get("id"), name, type_of(element.first("variable")), named("outputDecision", "decision"),
            named("encapsulatedDecision", "decision"), named("inputDecision", "decision"), named("inputData", "input"),
        )  # fmt: skip

    def _requires(self, element: Element, where: str) -> tuple[m.Requirement, ...]:
        found: list[m.Requirement] = []
        for requirement in element.all("informationRequirement", "knowledgeRequirement"):
            for word, *kinds in (
                ("requiredInput", "input", "decision"),
                ("requiredDecision", "decision", "input"),
                ("requiredKnowledge", "knowledge"),
            ):
                found += [self._requirement(child.get("href"), kinds, where) for child in requirement.all(word)]
        return tuple(found)

    def _requirement(self, href: str, kinds: Sequence[str], where: str) -> m.Requirement:
        """What an href names, be it of any of the kinds; the first is the one that the words of the file mean.

        Editors leave `requiredInput` where an input became a decision: both are information, and the id says which.
        """
        known = self._known.get(href)
        if known is None:
            raise InvalidInput(f"{where} requires {href!r}, which is not in the file nor its imports.", "Check its id.")
        if known.kind not in kinds:
            raise InvalidInput(f"{where} requires {known.name!r} as {kinds[0]}, but it is a {_KINDS[known.kind]}.")
        return m.Requirement(known.kind, known.id, known.name, known.alias)


def _name_of(element: Element) -> str:
    """The name of an element, which is that of its variable too (clause 6.3.7); a variable's alone will do."""
    variable = element.first("variable")
    return plain_name(element.get("name") or (variable.get("name") if variable else ""))


def _variables(requires: Iterable[m.Requirement]) -> list[str]:
    return [requirement.alias or requirement.name for requirement in requires]


def _component_names(items: Iterable[Element]) -> list[str]:
    found: list[str] = []
    for item in items:
        for component in item.all("itemComponent"):
            found += [plain_name(component.get("name")), *_component_names([component])]
    return found


def _column_names(element: Element) -> list[str]:
    """Names of entries, columns and outputs anywhere: what contexts made by boxes have as components."""
    found: list[str] = []
    for child in element.children:
        if child.name in ("output", "column", "formalParameter"):
            found.append(plain_name(child.get("name")))
        if child.name == "contextEntry":
            found += [plain_name(variable.get("name")) for variable in child.all("variable")]
        found += _column_names(child)
    return [name for name in found if name]


def _elements_of(model: m.Definitions) -> list[tuple[str, str, str]]:
    return [
        *(("input", entry.id, entry.name) for entry in model.inputs),
        *(("decision", entry.id, entry.name) for entry in model.decisions),
        *(("knowledge", entry.id, entry.name) for entry in model.knowledge),
        *(("knowledge", entry.id, entry.name) for entry in model.services),
    ]


def _all_names(model: m.Definitions | None) -> list[str]:
    """Names of an imported model that may follow a dot: elements, and components of its types."""
    if model is None:
        return []
    found = [name for _, _, name in _elements_of(model)]
    pending = list(model.items)
    while pending:
        item = pending.pop()
        found += [component.name for component in item.components]
        pending += item.components
    for entry in model.imports:
        found += _all_names(entry.model)
    return found


def _function_item(element: Element) -> m.FunctionItem:
    parameters = tuple((plain_name(child.get("name")), type_of(child)) for child in element.all("parameters"))
    return m.FunctionItem(parameters, plain_name(element.get("outputTypeRef").rpartition(":")[2]))

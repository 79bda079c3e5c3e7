"""A DMN file as frozen values: what was read, with the ids and texts that messages need, and its FEEL parsed.

A name is as variables and messages use it, with single spaces. An `id` is empty where the file gives none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from evenkeel.policy.feel.nodes import Node, Parameter, UnaryTests


class HitPolicy(Enum):
    """Which of the rules that hold decide (clause 8.2.8)."""

    UNIQUE = "UNIQUE"
    ANY = "ANY"
    FIRST = "FIRST"
    PRIORITY = "PRIORITY"
    COLLECT = "COLLECT"
    RULE_ORDER = "RULE ORDER"
    OUTPUT_ORDER = "OUTPUT ORDER"


class Aggregation(Enum):
    """What COLLECT does with the outputs; without one they are listed."""

    SUM = "SUM"
    COUNT = "COUNT"
    MIN = "MIN"
    MAX = "MAX"


# ---- Types ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ItemDefinition:
    """A type. `type_ref` names the type it narrows; `components` make it a context; `collection` a list of such.

    allowed: what each value must pass (of a collection: each item); constraint: what the whole value must pass.
    """

    id: str
    name: str
    type_ref: str
    collection: bool
    allowed: UnaryTests | None
    allowed_text: str
    constraint: UnaryTests | None
    components: tuple[ItemDefinition, ...]
    function: FunctionItem | None = None


@dataclass(frozen=True, slots=True)
class FunctionItem:
    """The type of a function: its parameters' types by name, and its result's."""

    parameters: tuple[tuple[str, str], ...]
    result: str


# ---- Expressions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LiteralExpression:
    """FEEL text; `node` is Malformed where it could not be read."""

    id: str
    text: str
    node: Node
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """An input entry of a rule. `tests` None where it could not be read: then it never holds, see `fault`."""

    id: str
    text: str
    tests: UnaryTests | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class InputClause:
    """A column that is tested: its expression, and the values it may have (`values` None: any)."""

    id: str
    label: str
    expression: LiteralExpression
    values: UnaryTests | None
    values_text: str


@dataclass(frozen=True, slots=True)
class OutputClause:
    """A column that is given. `name` is empty where there is one only.

    values: allowed outputs; `order` is the same as expressions, from the highest priority.
    """

    id: str
    name: str
    label: str
    type_ref: str
    values: UnaryTests | None
    values_text: str
    order: tuple[Node, ...]
    default: LiteralExpression | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. `number` counts from 1; `key` is its id, or the number where the file gives none."""

    id: str
    number: int
    cells: tuple[Cell, ...]
    outputs: tuple[LiteralExpression, ...]
    annotations: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How results name the rule."""
        return self.id or str(self.number)


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Rules over input columns."""

    id: str
    hit_policy: HitPolicy
    aggregation: Aggregation | None
    inputs: tuple[InputClause, ...]
    outputs: tuple[OutputClause, ...]
    rules: tuple[Rule, ...]
    annotations: tuple[str, ...] = ()
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A named expression: an entry of a context, or a binding of an invocation. `name` empty: a context's result."""

    name: str
    type_ref: str
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class BoxedContext:
    """Entries in order, each seeing those before; with a result entry the context is that entry's value."""

    id: str
    entries: tuple[Entry, ...]
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class BoxedList:
    """A list of expressions."""

    id: str
    items: tuple[Expression | None, ...]
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table of expressions: a list of contexts, one a row."""

    id: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Expression | None, ...], ...]
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """A function; `kind` is FEEL, or Java or PMML, which are not run."""

    id: str
    kind: str
    parameters: tuple[Parameter, ...]
    body: Expression | None
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of what `function` gives, by named bindings."""

    id: str
    function: LiteralExpression
    bindings: tuple[Entry, ...]
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class Conditional:
    """Boxed if, then, else (1.4)."""

    id: str
    condition: Expression | None
    positive: Expression | None
    negative: Expression | None
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class BoxedFilter:
    """Boxed filter (1.4): items of `source` for which `condition` holds, with `item` and its components in scope."""

    id: str
    source: Expression | None
    condition: Expression | None
    type_ref: str = ""


@dataclass(frozen=True, slots=True)
class Iterator:
    """Boxed for, some or every (1.4): `kind` is "for", "some" or "every"."""

    id: str
    kind: str
    variable: str
    source: Expression | None
    body: Expression | None
    type_ref: str = ""


Expression = (
    LiteralExpression
    | DecisionTable
    | BoxedContext
    | BoxedList
    | Relation
    | FunctionDefinition
    | Invocation
    | Conditional
    | BoxedFilter
    | Iterator
)


# ---- The graph -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an element needs: `kind` is "input", "decision" or "knowledge"; `id` is of the element it names.

    name: as the expression knows it. alias: the import it comes from, under whose name it is then reached; else empty.
    """

    kind: str
    id: str
    name: str
    alias: str = ""


@dataclass(frozen=True, slots=True)
class InputData:
    """A fact from outside. required and max_age_days come from evenkeel's own attributes (see README)."""

    id: str
    name: str
    type_ref: str
    required: bool = True
    max_age_days: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision. `decides` is evenkeel's own attribute: "grant", "limit", "authorisation" or empty."""

    id: str
    name: str
    type_ref: str
    requires: tuple[Requirement, ...]
    expression: Expression | None
    decides: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class KnowledgeModel:
    """A business knowledge model: a function under a name."""

    id: str
    name: str
    type_ref: str
    requires: tuple[Requirement, ...]
    function: FunctionDefinition


@dataclass(frozen=True, slots=True)
class DecisionService:
    """Decisions as a function: parameters are `input_data`, then `input_decisions`; its decisions are ids here."""

    id: str
    name: str
    type_ref: str
    outputs: tuple[Requirement, ...]
    encapsulated: tuple[Requirement, ...]
    input_decisions: tuple[Requirement, ...]
    input_data: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A text that could not be read: `element` names decision and cell, `message` the place and what was expected."""

    element: str
    message: str


@dataclass(frozen=True, slots=True)
class Import:
    """Another DMN file of `namespace`, whose elements are reached as `name.element`; `model` is None if not found."""

    name: str
    namespace: str
    model: Definitions | None


@dataclass(frozen=True, slots=True)
class Definitions:
    """A whole file. version: of DMN, such as "1.5"."""

    id: str
    name: str
    namespace: str
    items: tuple[ItemDefinition, ...]
    inputs: tuple[InputData, ...]
    decisions: tuple[Decision, ...]
    knowledge: tuple[KnowledgeModel, ...]
    services: tuple[DecisionService, ...]
    imports: tuple[Import, ...]
    faults: tuple[Fault, ...]
    version: str = "1.5"

"""The algebra of all applicants at once: a value is a decision diagram over the pieces of the inputs.

A diagram is read from the top: each node asks one variable and has a child for each of its pieces, not known included;
at the end stands a value. Equal diagrams are one, so a whole policy becomes a graph of some hundreds or thousands of
nodes, in which every path is a kind of applicant (multi-valued decision diagrams: Srinivasan et al., ICCAD 1990).

Numbers that are calculated become variables of their own. Of such a `Term` only this is known: it is null where one of
its inputs is. That is more than can happen, never less, so what is proved over diagrams holds for every applicant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from evenkeel.policy.abstract import Abstract, Condition, Finite, Open, Outside
from evenkeel.policy.atoms import Atoms, atoms
from evenkeel.policy.dmn.model import HitPolicy
from evenkeel.policy.feel.nodes import Arithmetic, Call, Comparison, Literal, Name, Negation, Node
from evenkeel.policy.feel.values import Value
from evenkeel.policy.meaning import SEVERAL, frozen, meaning

MOST_NODES = 400_000


@dataclass(frozen=True, slots=True)
class Term:
    """A variable: an input, or a number calculated from inputs. node: how it is calculated, over the inputs' names."""

    key: str
    kind: str
    inputs: frozenset[str]
    node: Node

    @property
    def calculated(self) -> bool:
        """Whether it is made of inputs, and none itself."""
        return not isinstance(self.node, Name)


class Diagram(Finite):
    """A finite value, by its root."""

    def __init__(self, algebra: Diagrams, root: int) -> None:
        self.root = root
        self.values = [algebra.value_of(end) for end in algebra.ends(root)]


class Cases(Open):
    """An open value: a diagram at whose ends stand terms, or constants."""

    def __init__(self, kind: str, root: int) -> None:
        self.kind = kind
        self.root = root


class Diagrams:
    """The algebra. order: variables from the top. pieces: each variable's values, null last, one for each child."""

    def __init__(self, cut_by: Mapping[str, frozenset[Value]]) -> None:
        self.order: list[Term] = []
        self.pieces: list[tuple[Value, ...]] = []
        self.cut_by: dict[str, set[Value]] = {key: set(values) for key, values in cut_by.items()}
        self.grew = False
        self._level: dict[str, int] = {}
        self._atoms: dict[str, Atoms] = {}
        self._domain: dict[str, Callable[[Value], bool] | None] = {}
        self._nodes: list[tuple[int, tuple[int, ...]]] = []  # (level, children); an end has the level -1
        self._unique: dict[tuple[int, tuple[int, ...]], int] = {}
        self._values: dict[int, Value] = {}
        self._end_of: dict[object, int] = {}
        self._ends: dict[int, frozenset[int]] = {}
        self._known: dict[int, frozenset[int]] = {}

    # ---- Nodes -----------------------------------------------------------------------------------------------------

    def end(self, value: Value) -> int:
        """The end at which a value stands."""
        key = value if isinstance(value, Term) else frozen(value)
        if key not in self._end_of:
            self._end_of[key] = self._new(-1, (len(self._end_of),))
            self._values[self._end_of[key]] = value
        return self._end_of[key]

    def value_of(self, end: int) -> Value:
        """The value at an end."""
        return self._values[end]

    def level(self, node: int) -> int:
        """Which variable a node asks: its place in `order`; -1 at an end."""
        return self._nodes[node][0]

    def children(self, node: int) -> tuple[int, ...]:
        """Where each piece of the variable leads."""
        return self._nodes[node][1]

    def ends(self, root: int) -> frozenset[int]:
        """The ends that can be reached."""
        pending = [root]
        while pending:
            node = pending[-1]
            if node in self._ends:
                pending.pop()
                continue
            level, children = self._nodes[node]
            below = () if level < 0 else children
            missing = [child for child in below if child not in self._ends]
            if missing:
                pending += missing
                continue
            self._ends[node] = (
                frozenset[int]().union(*(self._ends[child] for child in below)) if below else frozenset((node,))
            )
            pending.pop()
        return self._ends[root]

    def _new(self, level: int, children: tuple[int, ...]) -> int:
        if level >= 0 and all(child == children[0] for child in children):
            return children[0]
        key = (level, children)
        if key not in self._unique:
            if len(self._nodes) >= MOST_NODES:
                raise Outside(f"the policy has more than {MOST_NODES} different situations")
            self._unique[key] = len(self._nodes)
            self._nodes.append(key)
        return self._unique[key]

    def _apply(self, call: Callable[..., int], roots: tuple[int, ...], known: dict[tuple[int, ...], int]) -> int:
        """The diagram of a function of what stands at the ends. The depth is that of the variables."""
        if roots in known:
            return known[roots]
        levels = [self._nodes[root][0] for root in roots]
        asked = [level for level in levels if level >= 0]
        if not asked:
            made = call(*roots)
        else:
            top = min(asked)
            below = [
                self._nodes[root][1] if level == top else (root,) * len(self.pieces[top])
                for root, level in zip(roots, levels, strict=True)
            ]
            made = self._new(top, tuple(self._apply(call, child, known) for child in zip(*below, strict=True)))
        known[roots] = made
        return made

    def combined(self, call: Callable[..., int], roots: tuple[int, ...]) -> int:
        """The diagram of a function from ends to an end."""
        return self._apply(call, roots, {})

    def path(self, root: int, wanted: frozenset[int], known: bool = False) -> dict[Term, Value] | None:
        """A way to one of the wanted ends, as a value for each variable that is asked. known: null is not taken."""
        way: dict[Term, Value] = {}
        node = root
        reach = self._known_ends if known else self.ends
        if not reach(node) & wanted:
            return None
        while self.level(node) >= 0:
            level = self.level(node)
            for place, child in enumerate(self.children(node)):
                if known and self.pieces[level][place] is None:
                    continue
                if reach(child) & wanted:
                    way[self.order[level]] = self.pieces[level][place]
                    node = child
                    break
        return way

    def _known_ends(self, root: int) -> frozenset[int]:
        """The ends that applicants reach of whom everything is known."""
        if root not in self._known:
            below = () if self.level(root) < 0 else self.children(root)[:-1]
            found = frozenset[int]().union(*(self._known_ends(child) for child in below))
            self._known[root] = found if below else frozenset((root,))
        return self._known[root]

    # ---- Variables -------------------------------------------------------------------------------------------------

    def listed(self, name: str, values: Sequence[Value]) -> Diagram:
        """An input with listed values, null last."""
        level = self._variable(Term(name, "", frozenset((name,)), Name(name)), tuple(values))
        return Diagram(self, self._new(level, tuple(self.end(value) for value in values)))

    def input(self, name: str, kind: str, within: Callable[[Value], bool] | None) -> Cases:
        """An open input whose domain is where `within` holds; None: everywhere."""
        self._domain[name] = within
        term = Term(name, kind, frozenset((name,)), Name(name))
        self._pieces(term)  # inputs stand above what is calculated from them
        return Cases(kind, self.end(term))

    def _variable(self, term: Term, pieces: tuple[Value, ...]) -> int:
        if term.key not in self._level:
            self._level[term.key] = len(self.order)
            self.order.append(term)
            self.pieces.append(pieces)
        return self._level[term.key]

    def _pieces(self, term: Term) -> int:
        """The diagram of a term's pieces, as the values that stand for them."""
        if term.key not in self._level:
            made = atoms(term.kind, self.cut_by.get(term.key, ()))
            within = self._domain.get(term.key)
            kept = [value for value in made.values[:-1] if within is None or within(value)]
            self._variable(term, (*kept, None))
        level = self._level[term.key]
        return self._new(level, tuple(self.end(value) for value in self.pieces[level]))

    # ---- The algebra -----------------------------------------------------------------------------------------------

    def constant(self, value: Value) -> Finite:
        """One value for everybody."""
        return Diagram(self, self.end(value))

    def cut(self, value: Open, constants: frozenset[Value]) -> Finite:
        """The pieces of each term at the ends."""
        root = cast("Cases", value).root
        for end in self.ends(root):
            term = self.value_of(end)
            if isinstance(term, Term) and not constants <= self.cut_by.setdefault(term.key, set()):
                self.cut_by[term.key] |= constants
                self.grew = True

        return Diagram(self, self._replaced(root, lambda end: self._cut_end(end)))

    def _cut_end(self, end: int) -> int:
        term = self.value_of(end)
        return self._pieces(term) if isinstance(term, Term) else end

    def _replaced(self, root: int, other: Callable[[int], int]) -> int:
        """The diagram with other diagrams at its ends."""
        ends = sorted(self.ends(root))
        places = {end: place for place, end in enumerate(ends)}
        roots = (root, *(other(end) for end in ends))
        return self._apply(lambda which, *options: options[places[which]], roots, {})

    def lift(self, call: Callable[..., Value], operands: Sequence[Finite]) -> Finite:
        """A function of the values at the ends."""
        answers: dict[tuple[int, ...], int] = {}

        def at_ends(*ends: int) -> int:
            if ends not in answers:
                answers[ends] = self.end(call(*(self.value_of(end) for end in ends)))
            return answers[ends]

        roots = tuple(cast("Diagram", operand).root for operand in operands)
        return Diagram(self, self._apply(at_ends, roots, {}) if roots else self.end(call()))

    def number(self, value: Finite) -> Open:
        """Finite numbers as constants."""
        kept = self.lift(lambda one: one if isinstance(one, Decimal) else None, [value])
        return Cases("number", cast("Diagram", kept).root)

    def arithmetic(self, operator: str, operands: Sequence[Open]) -> Open:
        """A term for each combination of terms."""

        def at_ends(*ends: int) -> int:
            values = [self.value_of(end) for end in ends]
            if any(value is None for value in values):
                return self.end(None)
            nodes = [value.node if isinstance(value, Term) else Literal(value) for value in values]
            node = _calculation(operator, nodes)
            terms = [value for value in values if isinstance(value, Term)]
            if not terms:
                return self.end(meaning(node, {}))
            inputs = frozenset[str]().union(*(term.inputs for term in terms))
            return self.end(Term(_written(node), "number", inputs, node))

        return Cases("number", self._apply(at_ends, tuple(cast("Cases", operand).root for operand in operands), {}))

    def compare(self, operator: str, left: Open, right: Open) -> Finite:
        """A comparison of two numbers, by the sign of what lies between them."""
        if operator in ("=", "!="):
            raise Outside("whether two calculated numbers are equal")
        between = self.cut(self.arithmetic("-", (left, right)), frozenset((Decimal(0),)))
        node = Comparison(operator, Name("left"), Literal(Decimal(0)))
        return self.lift(lambda value: meaning(node, {"left": value}), [between])

    def choose(self, which: Finite, pick: Callable[[Value], int], options: Sequence[Abstract]) -> Abstract:
        """Of diagrams the one that another picks."""
        roots = [cast("Diagram | Cases", option).root for option in options]
        root = self._replaced(cast("Diagram", which).root, lambda end: roots[pick(self.value_of(end))])
        if all(isinstance(option, Diagram) for option in options):
            return Diagram(self, root)
        return Cases("number", root)

    def hits(self, rules: Sequence[Sequence[Condition]], policy: HitPolicy, rank: Sequence[object]) -> Finite:
        """The rules that decide."""
        order = list(range(len(rules)))
        if policy is HitPolicy.PRIORITY:
            order.sort(key=lambda place: (cast("int", rank[place]), place))
        single = policy in (HitPolicy.FIRST, HitPolicy.PRIORITY)
        found = self.end(())
        for place in reversed(order):
            joined = self._joined(rules[place], place, single, found, rank, policy)
            found = joined
        return Diagram(self, found)

    def stands(self, rule: Sequence[Condition]) -> int:
        """The diagram of where a rule holds: true or false."""
        true, false = self.end(True), self.end(False)
        found = true
        for condition in rule:
            cell = cast("Diagram", self.lift(condition.holds, [condition.column])).root
            found = self._apply(lambda a, b: true if a == true and b == true else false, (found, cell), {})
        return found

    def _joined(
        self, rule: Sequence[Condition], place: int, single: bool, rest: int, rank: Sequence[object], policy: HitPolicy
    ) -> int:
        """What a rule makes of the hits of those after it."""
        false, stands = self.end(False), self.stands(rule)

        def both(stand: int, hit: int) -> int:
            if stand == false:
                return hit
            others = cast("tuple[int, ...]", self.value_of(hit))
            if single or not others:
                return self.end((place,))
            if policy is HitPolicy.UNIQUE or others == SEVERAL:
                return self.end(SEVERAL)
            if policy is HitPolicy.ANY:
                return self.end((place,) if rank[others[0]] == rank[place] else SEVERAL)
            return self.end((place, *others))

        return self._apply(both, (stands, rest), {})


def _calculation(operator: str, nodes: Sequence[Node]) -> Node:
    if operator == "neg":
        return Negation(nodes[0])
    if operator in ("+", "-", "*", "/"):
        return Arithmetic(operator, nodes[0], nodes[1])
    return Call(Name(operator), tuple(nodes))


def _written(node: Node) -> str:
    """A calculation as FEEL text."""
    match node:
        case Literal(value=value):
            return str(value)
        case Name(name=name):
            return name
        case Negation(operand=operand):
            return f"-({_written(operand)})"
        case Arithmetic(operator=operator, left=left, right=right):
            return f"({_written(left)} {operator} {_written(right)})"
        case Call(function=function, positional=positional):
            return f"{_written(function)}({', '.join(_written(argument) for argument in positional)})"
        case _:
            raise Outside("a calculation")

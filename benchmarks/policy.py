"""A lending policy over a million past applications, with reasons; beside zen-engine, a rule engine written in Rust.

    python benchmarks/policy.py [--rows N] [--peer-rows N] [--peer-python PATH]

The shipped granting policy decides drawn applications by columns. With --peer-python, an environment with zen-engine
decides the first --peer-rows of them by the same table, one call an application as its interface has it; outcomes are
compared row by row, so that both are known to have answered the same question.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa

from evenkeel.policy.backtest import backtest
from evenkeel.policy.dmn.model import DecisionTable
from evenkeel.policy.program import Program, load_program

SPREAD = {
    "age": (17, 70), "forgery": (0, 0.05), "pd": (0, 0.2), "score": (450, 750), "income_low_minor": (2e5, 2e6),
    "service_to_income": (0, 0.8), "exposure_group_minor": (0, 2e7), "requested_minor": (1e5, 2e6), "lines": (0, 6),
    "new_lines_90d": (0, 4), "inquiries_30d": (0, 9), "requests_in_flight": (0, 3),
}  # fmt: skip
WHOLE = frozenset(SPREAD) - {"forgery", "pd", "service_to_income"}


def applications(program: Program, rows: int) -> pa.Table:
    """Drawn applications, one fact in a hundred not known."""
    rng = np.random.default_rng(5)
    columns = {}
    for item in program.inputs:
        unknown = rng.random(rows) < 0.01
        if item.type == "boolean":
            columns[item.name] = pa.array(rng.random(rows) < 0.03, mask=unknown)
        elif item.choices:
            words = pa.array([str(word) for word in item.choices])
            drawn = np.where(rng.random(rows) < 0.95, 0, rng.integers(0, len(words), rows))
            columns[item.name] = words.take(pa.array(drawn, mask=unknown))
        else:
            low, high = SPREAD[item.name]
            values = low + (high - low) * rng.random(rows)
            columns[item.name] = pa.array(np.floor(values) if item.name in WHOLE else values, mask=unknown)
    return pa.table(columns)


def as_jdm(program: Program) -> dict[str, object]:
    """The deciding table as the peer's JSON: the same cells, in the peer's words for null and for anything."""
    table = program.deciding.expression
    assert isinstance(table, DecisionTable)
    inputs = [{"id": f"i{n}", "type": "expression", "field": clause.expression.text.strip(), "name": ""}
              for n, clause in enumerate(table.inputs)]  # fmt: skip
    rules = []
    for rule in table.rules:
        cells = {f"i{n}": "" if cell.text.strip() == "-" else cell.text.strip() for n, cell in enumerate(rule.cells)}
        rules.append({"_id": rule.key, **cells, "o0": rule.outputs[0].text, "o1": rule.outputs[1].text})
    outputs = [{"id": "o0", "type": "expression", "field": "outcome", "name": ""},
               {"id": "o1", "type": "expression", "field": "reasons", "name": ""}]  # fmt: skip
    content = {"hitPolicy": "first", "inputs": inputs, "outputs": outputs, "rules": rules}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}},
        {"id": "t", "type": "decisionTableNode", "name": "t", "content": content, "position": {"x": 0, "y": 0}},
        {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 0, "y": 0}},
    ]
    edges = [{"id": f"e{a}", "type": "edge", "sourceId": a, "targetId": b} for a, b in (("in", "t"), ("t", "out"))]
    return {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges}


PEER = """
import json, sys, time
import zen
asked = json.load(open(sys.argv[1]))
decision = zen.ZenEngine().create_decision(json.dumps(asked["table"]))
begun, outcomes = time.process_time(), []
for row in asked["rows"]:
    outcomes.append(decision.evaluate(row)["result"].get("outcome"))
print(json.dumps({"cpu_s": time.process_time() - begun, "outcomes": outcomes}))
"""


def peer(python: Path, program: Program, table: pa.Table) -> dict[str, object]:
    """What the peer answers, and the CPU seconds of its calls."""
    rows = table.to_pylist()
    for row in rows:
        income = row["income_low_minor"]
        row["exposure_to_income"] = (
            row["exposure_group_minor"] / income if income and row["exposure_group_minor"] is not None else None
        )
    with tempfile.TemporaryDirectory() as folder:
        asked, script = Path(folder) / "asked.json", Path(folder) / "peer.py"
        asked.write_text(json.dumps({"table": as_jdm(program), "rows": rows}))
        script.write_text(PEER)
        told = subprocess.run([str(python), str(script), str(asked)], capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(told.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=20_000)
    parser.add_argument("--peer-python", type=Path, help="an environment with zen-engine")
    given = parser.parse_args()
    text = (files("evenkeel.policy") / "shipped" / "granting.dmn").read_text(encoding="utf-8")
    program = load_program(text)
    table = applications(program, given.rows)
    begun = time.process_time()
    run = backtest(program, table)
    ours = time.process_time() - begun
    print(
        f"evenkeel    {given.rows:>9,} rows  {ours:8.2f} CPU s  {ours / given.rows * 1e6:8.2f} us a row, with reasons"
    )
    print(f"            {run.summary()['outcomes']}")
    if given.peer_python is None:
        print("zen-engine  not asked: give --peer-python")
        return
    some = table.slice(0, given.peer_rows)
    found = peer(given.peer_python, program, some)
    outcomes, cpu = found["outcomes"], found["cpu_s"]
    assert isinstance(outcomes, list) and isinstance(cpu, float)
    mine = run.table["outcome"].slice(0, given.peer_rows).to_pylist()
    same = sum(a == b for a, b in zip(mine, outcomes, strict=True))
    each = cpu / given.peer_rows
    print(f"zen-engine  {given.peer_rows:>9,} rows  {cpu:8.2f} CPU s  {each * 1e6:8.2f} us a row")
    print(f"            same outcome in {same:,} of {given.peer_rows:,}; {each * given.rows / ours:.0f} times our time")


if __name__ == "__main__":
    sys.exit(main())

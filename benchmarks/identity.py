"""Identity at granting beside its peers.

    python benchmarks/identity.py --peers /path/to/python      # everything
    python benchmarks/identity.py --sections numbers --rows 100000

numbers: resident numbers, 8 in 10 well formed, from a list of Python texts: a verdict, birth date, age and sex each;
    and python-stdnum's is_valid alone, on a sample, its time multiplied up, with the texts on which it raises.
clusters: applications with device, address, phone and two contacts each, some of them shared, in no order, as an Arrow
    table of texts: the cluster at every application, newcomers, hubs and edges. `first` holds loading the compiled
    code, `again` does not. The peers join the same numbers (no texts to read, one answer for the end and none for the
    time before): networkx and rustworkx on a sample, their time multiplied up; and scipy.sparse.csgraph.
lookup: the links of as many applications in PostgreSQL: milliseconds to keep the links of one new application and to
    read its cluster, alone and one after another, fsync on; and seconds to load them all.

The peers live in an environment of their own: pip install python-stdnum networkx rustworkx numpy

Every figure is from a process of its own with one thread. CPU s is what the work alone took, without drawing its input.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

ON = date(2026, 11, 27)
SAMPLE = 100_000
LOOKUPS = 1000


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """What a piece of work returns, and its CPU seconds."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


# --- numbers ----------------------------------------------------------------------------------------------------------


def drawn_numbers(rows: int) -> list[str]:
    """Resident numbers of twelve counties that every list has; one in ten has a wrong check, one in ten is cut."""
    rng = np.random.default_rng(7)
    places = np.array([110105, 120101, 310104, 320102, 330106, 350102, 370102, 420102, 430102, 440305, 500103, 510107])
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    texts = []
    for place, year, month, day, sequence, luck in zip(
        rng.choice(places, rows).tolist(), rng.integers(1940, 2009, rows).tolist(), rng.integers(1, 13, rows).tolist(),
        rng.integers(1, 29, rows).tolist(), rng.integers(0, 1000, rows).tolist(), rng.integers(0, 10, rows).tolist(),
        strict=True,
    ):  # fmt: skip
        head = f"{place}{year}{month:02d}{day:02d}{sequence:03d}"
        right = sum(weight * int(digit) for weight, digit in zip(weights, head, strict=True)) % 11
        texts.append(head[:-1] if luck == 0 else head + "10X98765432"[(right + (luck == 1)) % 11])
    return texts


def our_numbers(rows: int) -> dict:
    from evenkeel.decisions.identity.numbers import NumberVerdict, resident_numbers

    texts = drawn_numbers(rows)
    found, cpu = timed(lambda: resident_numbers(texts, ON))
    return {"cpu_s": cpu, "valid": int((found.verdict == NumberVerdict.VALID).sum()), "raised": 0}


def stdnum_numbers(rows: int) -> dict:
    from stdnum.cn import ric

    sample = min(rows, SAMPLE)
    texts = [*drawn_numbers(sample - 1), "330113199001011234"]

    def work() -> tuple[int, int]:
        valid = raised = 0
        for text in texts:
            try:
                valid += ric.is_valid(text)
            except KeyError:
                raised += 1
        return valid, raised

    (valid, raised), cpu = timed(work)
    return {"cpu_s": cpu * rows / sample, "valid": valid * rows // sample, "raised": raised, "sample": sample}


# --- clusters ---------------------------------------------------------------------------------------------------------


def drawn_names(rows: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Borrower and named attributes of each application as numbers: mostly one's own, some of a few, and three hubs."""
    rng = np.random.default_rng(9)
    borrower = rng.integers(0, int(0.9 * rows), rows)

    def named(share: float, few: int) -> np.ndarray:
        number = np.where(rng.random(rows) < share, rng.integers(0, few, rows), 10**7 + borrower)
        return np.where(rng.random(rows) < 0.01, rng.integers(0, 3, rows), number)

    names = {"device": named(0.05, rows // 40), "address": named(0.15, rows // 20), "phone": named(0.01, rows // 50)}
    contacts = 2 * borrower[:, None] + np.arange(2) + 2 * 10**7
    elsewhere = rng.random((rows, 2)) < 0.02
    names["contacts"] = np.where(elsewhere, rng.integers(10**7, 10**7 + rows, (rows, 2)), contacts)
    return borrower, names


def applications(rows: int):
    import pyarrow as pa

    borrower, names = drawn_names(rows)
    second = np.random.default_rng(10).integers(0, 2 * 365 * 86_400, rows)

    def tokens(head: str, numbers: np.ndarray) -> pa.Array:
        return pa.array([f"{head}-{number:012x}" for number in numbers.ravel().tolist()])

    ends = pa.array(np.arange(0, 2 * rows + 1, 2, dtype=np.int32))
    return pa.table({
        "borrower_id": tokens("b", borrower), "submitted_at": pa.array(second * 10**6, pa.timestamp("us", "UTC")),
        "device_token": tokens("dev", names["device"]), "address_token": tokens("adr", names["address"]),
        "phone_token": tokens("tel", names["phone"]),
        "contact_tokens": pa.ListArray.from_arrays(ends, tokens("tel", names["contacts"])),
    })  # fmt: skip


def our_clusters(rows: int) -> dict:
    from evenkeel.decisions.identity.clusters import clusters

    table = applications(rows)
    _, first = timed(lambda: clusters(table))
    found, again = timed(lambda: clusters(table))
    return {"first_s": first, "cpu_s": again, "clusters": int(found.label.max()) + 1, "largest": int(found.size.max())}


def edges_of(rows: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Borrower and attribute of every naming, as nodes of one graph; the hubs are left out."""
    borrower, names = drawn_names(rows)
    who, what = [], []
    for number, (name, values) in enumerate(names.items()):
        flat = values.ravel()
        owner = np.repeat(borrower, flat.size // rows)
        keep = flat >= 3
        who.append(owner[keep])
        what.append(flat[keep] + (number if name != "contacts" else 2) * 10**9)
    _, attribute = np.unique(np.concatenate(what), return_inverse=True)
    people = int(borrower.max()) + 1
    return np.concatenate(who), attribute + people, people + int(attribute.max()) + 1


def scipy_clusters(rows: int) -> dict:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    who, what, nodes = edges_of(rows)
    (_, label), cpu = timed(
        lambda: connected_components(coo_array((np.ones(len(who), np.int8), (who, what)), (nodes, nodes)), False)
    )
    return {"first_s": cpu, "cpu_s": cpu, **_components(label[np.unique(who)])}


def _components(label: np.ndarray) -> dict:
    sizes = np.unique(label, return_counts=True)[1]
    return {"clusters": len(sizes), "largest": int(sizes.max())}


def networkx_clusters(rows: int) -> dict:
    import networkx

    sample = min(rows, SAMPLE)
    who, what, _ = edges_of(sample)
    pairs = list(zip(who.tolist(), what.tolist(), strict=True))

    def work() -> list[int]:
        graph = networkx.Graph()
        graph.add_edges_from(pairs)
        people = int(who.max()) + 1
        return [sum(node < people for node in part) for part in networkx.connected_components(graph)]

    sizes, cpu = timed(work)
    return {"first_s": cpu * rows / sample, "cpu_s": cpu * rows / sample, "clusters": len(sizes), "largest": max(sizes),
            "sample": sample}  # fmt: skip


def rustworkx_clusters(rows: int) -> dict:
    import rustworkx

    sample = min(rows, SAMPLE)
    who, what, nodes = edges_of(sample)
    pairs = list(zip(who.tolist(), what.tolist(), strict=True))
    named = np.zeros(nodes, bool)
    named[who] = named[what] = True
    people = int(who.max()) + 1

    def work() -> list[int]:
        graph = rustworkx.PyGraph(multigraph=True)
        graph.add_nodes_from(range(nodes))
        graph.add_edges_from_no_data(pairs)
        return [sum(node < people for node in part) for part in rustworkx.connected_components(graph)]

    sizes, cpu = timed(work)
    sizes = [size for size in sizes if size]
    return {"first_s": cpu * rows / sample, "cpu_s": cpu * rows / sample,
            "clusters": len(sizes) - int((~named[:people]).sum()), "largest": max(sizes), "sample": sample}  # fmt: skip


# --- lookup -----------------------------------------------------------------------------------------------------------


def our_lookup(rows: int) -> dict:
    from evenkeel.decisions.identity import store
    from evenkeel.decisions.identity.clusters import COLUMNS, LinkKind
    from evenkeel.kernel.clock import fixed_clock
    from evenkeel.storage import homes
    from evenkeel.storage.database import transaction
    from evenkeel.storage.workspace import open_workspace

    table, start = applications(rows), datetime(2026, 1, 1, tzinfo=UTC)
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-bench-"))
    folder.chmod(0o755)
    try:
        with open_workspace(folder / "w", database_url=None, clock=fixed_clock(start)) as workspace:
            began = time.perf_counter()
            for part in table.to_batches(20_000):
                columns = part.to_pydict()
                namings = [
                    (who, kind, token, at)
                    for name, kind in COLUMNS.items()
                    for who, at, value in zip(
                        columns["borrower_id"], columns["submitted_at"], columns[name], strict=True
                    )
                    for token in (value if isinstance(value, list) else [value])
                ]
                with transaction(workspace.engine) as connection:
                    store.put_links(connection, namings)
            load_s = time.perf_counter() - began
            taken, sizes = [], []
            some = table.take(np.random.default_rng(1).integers(0, rows, LOOKUPS)).to_pylist()
            for number, row in enumerate(some):
                new, at = f"new-{number:06d}", start + timedelta(days=400, seconds=number)
                named = (row["device_token"], row["phone_token"], f"adr-new-{number}")
                kinds = (LinkKind.DEVICE, LinkKind.PHONE, LinkKind.ADDRESS)
                namings = [(new, kind, token, at) for kind, token in zip(kinds, named, strict=True)]
                began = time.perf_counter()
                with transaction(workspace.engine) as connection:
                    store.put_links(connection, namings)
                    sizes.append(store.neighbourhood(connection, new, at).size)
                taken.append(1000 * (time.perf_counter() - began))
        p50, p99 = np.percentile(taken, [50, 99])
        return {"load_s": load_s, "p50_ms": p50, "p99_ms": p99, "largest": max(sizes), "cpu_s": 0.0}
    finally:
        home = homes.home_of((folder / "w").resolve())
        shutil.rmtree(folder)
        if home.parent == homes.SYSTEM_FOLDER:
            shutil.rmtree(home, ignore_errors=True)


# --- the sections -----------------------------------------------------------------------------------------------------

SECTIONS: dict[str, dict[str, Callable[[int], dict]]] = {
    "numbers": {"evenkeel": our_numbers, "python-stdnum": stdnum_numbers},
    "clusters": {"evenkeel": our_clusters, "scipy, numbers": scipy_clusters, "rustworkx, numbers": rustworkx_clusters,
                 "networkx, numbers": networkx_clusters},
    "lookup": {"evenkeel": our_lookup},
}  # fmt: skip
PEERS = ("python-stdnum", "rustworkx, numbers", "networkx, numbers")
COLUMNS_SHOWN = {
    "numbers": (("CPU s", "cpu_s", ".2f"), ("valid", "valid", ",d"), ("raised", "raised", ",d")),
    "clusters": (("first CPU s", "first_s", ".2f"), ("again", "cpu_s", ".2f"), ("clusters", "clusters", ",d"),
                 ("largest", "largest", ",d")),
    "lookup": (("load s", "load_s", ".0f"), ("p50 ms", "p50_ms", ".2f"), ("p99 ms", "p99_ms", ".2f"),
               ("largest", "largest", ",d")),
}  # fmt: skip


def shown(section: str, results: list[dict]) -> str:
    columns = (*COLUMNS_SHOWN[section], ("peak memory, MB", "peak_mb", ",.0f"))
    lines = [f"| {results[0]['rows']:,} | " + " | ".join(name for name, _, _ in columns) + " |",
             "|---" * (len(columns) + 1) + "|"]  # fmt: skip
    for one in results:
        who = f"{one['who']}, from {one['sample']:,}" if "sample" in one else one["who"]
        lines.append(f"| {who} | " + " | ".join(format(one[key], form) for _, key, form in columns) + " |")
    return "\n".join(lines)


def run(section: str, who: str, rows: int, peers: str | None) -> dict:
    """The figures of one process."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [str(peers) if who in PEERS else sys.executable, __file__, "--job", json.dumps([section, who, rows])]
    done = subprocess.run(command, env=os.environ | one, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{who} failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return {"section": section, "who": who, "rows": rows, **json.loads(done.stdout)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--peers", help="an interpreter that has the peers; without it they are left out")
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        section, who, rows = json.loads(arguments.job)
        found = SECTIONS[section][who](rows)
        print(json.dumps({**found, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    results = [
        run(section, who, arguments.rows, arguments.peers)
        for section in arguments.sections
        for who in SECTIONS[section]
        if arguments.peers or who not in PEERS
    ]
    if arguments.json:
        print(json.dumps(results, indent=1))
        return
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for section in arguments.sections:
        print(f"\n### {section}\n\n{shown(section, [one for one in results if one['section'] == section])}")


if __name__ == "__main__":
    main()

"""A process that works on cases until it is killed: `python case_child.py URL WORKSPACE LENDER SEED CASE...`.

It says on stdout what it is about to do (`try KIND KEY CASE`), and once that was taken down (`done KIND KEY CASE`).
"""

import random
import sys
from datetime import timedelta
from pathlib import Path

from case_world import World

from evenkeel.arrears.cases import acts
from evenkeel.arrears.cases.outsourcing import Outsourcing
from evenkeel.arrears.contacts.model import Contact
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.kernel.clock import system_clock
from evenkeel.kernel.errors import Conflict, NotPermitted
from evenkeel.storage.workspace import open_workspace


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def do(world: World, kind: str, key: str, case_id: str, who: str) -> bool:
    """One thing; whether it was taken down. What is refused is answered, too."""
    try:
        if kind == "promise":
            act = acts.Promise(by="x", amount_minor=100, on=world.today + timedelta(days=2))
            world.cases.act(case_id, act, key)
        elif kind == "assign":
            Outsourcing(world.cases).assign(case_id, acts.Assign(by="x", agency_id="ag", batch=key), key)
        elif kind == "recall":
            world.cases.act(case_id, acts.Recall(by="x", why="review"), key)
        elif kind == "contact":
            contact = Contact(borrower_id=who, channel="call", target="debtor", timezone="Asia/Shanghai",
                              actor_type="consumer_finance", product="bnpl")  # fmt: skip
            Contacts(world.journal, world.lender, world.cases.rules, "CN").ask(contact, key)
        else:
            Outsourcing(world.cases).batch([case_id], "ag", "x", "night")
    except (Conflict, NotPermitted):
        return False
    return kind != "batch"  # which has no key of its own


KINDS = ("promise", "contact", "contact", "assign", "recall", "batch")

if __name__ == "__main__":
    url, place, lender, seed, *named = sys.argv[1:]
    draw = random.Random(int(seed))
    pairs = [name.split("/") for name in named]
    with open_workspace(Path(place), database_url=url, clock=system_clock) as workspace:
        world = World(workspace, lender=lender)
        tell("ready")
        number = 0
        while True:
            number += 1
            kind, (case_id, who) = draw.choice(KINDS), draw.choice(pairs)
            key = f"{seed}-{number}"
            tell("try", kind, key, case_id)
            if do(world, kind, key, case_id, who):
                tell("done", kind, key, case_id)

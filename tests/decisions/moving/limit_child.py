"""A process that reviews limits: `limit_child.py WORKSPACE URL NOW follow`, or `... review BREAKER LINES`."""

import json
import sys
from datetime import datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "engine"))
sys.path.append(str(Path(__file__).parent.parent.parent))

from engine_samples import LENDER
from limit_samples import deciding

from evenkeel.decisions.engine.arms import Arms
from evenkeel.decisions.moving.following import Follower
from evenkeel.decisions.moving.reviewing import Reviewer
from evenkeel.decisions.moving.rules import MovingRules
from evenkeel.decisions.requests import Limit
from evenkeel.storage.workspace import open_workspace


def main(place: str, url: str, now: str, task: str, *more: str) -> None:
    at = datetime.fromisoformat(now)
    with open_workspace(Path(place), database_url=url, clock=lambda: at) as workspace:
        rules = MovingRules(breaker_moves=int(more[0])) if task == "review" else MovingRules()
        arms = Arms(deciding(rules))
        reviewer = Reviewer(workspace.journal, lambda: arms)
        if task == "follow":
            follower = Follower(reviewer)
            print("ready", flush=True)  # noqa: T201 - it is what the test reads
            while True:
                follower.step()
        for line in more[1:]:
            said = json.loads(line)
            request = Limit(
                lender_id=LENDER, key=said["key"], borrower_id=said["borrower_id"], account_id=said["borrower_id"]
            )
            print((reviewer.review(request) or b"").decode(), flush=True)  # noqa: T201 - it is what the test reads


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`evenkeel`: the commands, and what every one of them does with an error."""

from __future__ import annotations

import traceback
from tempfile import NamedTemporaryFile

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.group import Commands
from evenkeel.kernel.errors import EvenkeelError

_COMMANDS = {
    "run": "Take a book round the whole loop and write the report.",
    "book": "A lender's book: schema, check, import, generate.",
    "train": "Train a model on a file, judged on folds and guarded.",
    "score": "Score a file with a trained model, with reasons.",
    "show": "One account or borrower as one story.",
    "demo": "A made book, the loop, the report and one borrower's story.",
    "model": "The models on record: list, compare, promote, export, monitor.",
    "accounts": "Accounts: schedule, post, state, statement, explain, close, cases.",
    "cost": "What a credit really costs, in every usual form.",
    "learn": "Lessons of one screen beside a decision, and stories to read.",
    "serve": "Decisions over HTTP, and the keys that open them.",
    "decide": "Decide requests from a file, as the service would.",
    "norms": "What is usual among applicants, learned and kept.",
    "replay": "Decisions again, from the record: the same bytes, or what differs.",
    "policy": "Policies in DMN: run, check, prove, publish.",
    "vault": "The identity vault: put, read with a reason, erase, rotate.",
    "verify": "Outside checks of identities: the set-up, and a question.",
    "watch": "Watch lists: load, add, remove, list, check.",
    "review": "Decisions that wait for a person: take, decide, release.",
    "limits": "Limits that move by events: the circuit breaker.",
    "plan": "Plans over all creditors of a household, and their life.",
    "law": "What the rules on record say of contacts and other actions.",
    "arrears": "Arrears: warn, causes, treatments, cases, conversation.",
    "afford": "What a household can carry, and at which odds.",
    "doctor": "Is everything in order, and what to do where it is not.",
}

_EXAMPLES = """\b
Examples:
  evenkeel demo
  evenkeel run BOOK --out REPORT
  evenkeel book check BOOK
"""


def commands(variables: str) -> click.Group:
    """The command group. variables: help on the environment variables, from where they are read."""

    @click.group(cls=Commands, package="evenkeel.cli", summaries=_COMMANDS, epilog=f"{_EXAMPLES}\n{variables}")
    @click.version_option(package_name="evenkeel")
    def evenkeel() -> None:
        """The whole loop of consumer credit from one record: grant, watch, warn, help, settle, learn."""

    return evenkeel


def main(arguments: list[str], application: Application, variables: str) -> int:
    """Run a command; returns the exit code of the process."""
    as_json = "--json" in arguments
    try:
        code = commands(variables).main(arguments, "evenkeel", standalone_mode=False, obj=application)
    except EvenkeelError as error:
        return present.fail(error, as_json)
    except click.ClickException as error:
        error.show()
        return present.USAGE
    except (click.Abort, KeyboardInterrupt):
        present.say("evenkeel: interrupted.")
        return present.INTERRUPTED
    except BrokenPipeError:
        return present.DONE  # the reader of our output has gone; there is nobody left to tell
    except MemoryError:
        present.say("evenkeel: out of memory. Use a machine with more, or a smaller book.")
        return present.UNAVAILABLE
    except Exception:
        return _own_fault()
    return code if isinstance(code, int) else present.DONE


def _own_fault() -> int:
    """Say that evenkeel itself failed, and where the details for its engineers are."""
    with NamedTemporaryFile("w", prefix="evenkeel-fault-", suffix=".txt", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    present.say("evenkeel: this is a fault of evenkeel, not of your data; nothing was changed.")
    present.say(f"  The details are in {file.name}. Please report them, after a look that they name nobody.")
    return present.UNAVAILABLE

"""Start-up: the only place that reads the environment and the clock, and hands them to the rest."""

import os
import sys

from evenkeel.cli.application import Application
from evenkeel.cli.main import main as run_cli
from evenkeel.kernel.clock import system_clock
from evenkeel.settings import VARIABLES, Settings


def main() -> None:
    """The `evenkeel` command."""
    settings = Settings.read(os.environ)
    application = Application(
        settings.workspace, settings.database_url, system_clock, settings.vault_key_file, settings.chat_key
    )
    variables = "\n\n".join(f"{name}: {text} Default: {default or 'none'}." for name, default, text in VARIABLES)
    sys.exit(run_cli(sys.argv[1:], application, variables))

"""`evenkeel serve` in a process of its own: `python serve_child.py WORKSPACE URL OPTIONS...`."""

import sys
from pathlib import Path

from evenkeel.cli.application import Application
from evenkeel.cli.serve import serve
from evenkeel.kernel.clock import system_clock

if __name__ == "__main__":
    application = Application(Path(sys.argv[1]), sys.argv[2] or None, system_clock)
    sys.exit(serve.main(sys.argv[3:], "serve", standalone_mode=False, obj=application))

"""Commands as a user meets them: in a process of their own, or in this one, which spares a start and its imports."""

import io
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from evenkeel import bootstrap

EVENKEEL = str(Path(sys.executable).with_name("evenkeel"))

Done = subprocess.CompletedProcess[str]


def started(*arguments: object, cwd: Path, **environment: str) -> Done:
    """Run `evenkeel` in a process of its own."""
    return subprocess.run(
        [EVENKEEL, *map(str, arguments)], cwd=cwd, env=os.environ | environment, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def here(*arguments: object, cwd: Path, **environment: str) -> Done:
    """Run the same in this process."""
    command = ["evenkeel", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code: object = None
    with (
        chdir(cwd), patch.object(sys, "argv", command), patch.dict(os.environ, environment),
        redirect_stdout(out), redirect_stderr(err),
    ):  # fmt: skip
        try:
            bootstrap.main()
        except SystemExit as end:
            code = end.code
    said = []
    for stream in (out, err):
        stream.seek(0)
        said.append(stream.read())
    assert isinstance(code, int)
    return subprocess.CompletedProcess(command, code, *said)

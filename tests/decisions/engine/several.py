"""Several processes that decide at once; they outlive a test, as a start costs more than all that one decides."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("engine_child.py")


class Several:
    """Called with requests for each process, it gives the replies of each."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def __call__(self, url: str, parts: list[list[dict[str, object]]]) -> list[list[dict[str, Any]]]:
        """The replies of one process for each part; all parts are sent once every process is ready."""
        while len(self._processes) < len(parts):
            self._processes.append(
                subprocess.Popen([sys.executable, str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        deciding = list(zip(self._processes, parts, strict=False))
        for process, _ in deciding:
            self._tell(process, url)
        assert [self._said(process) for process, _ in deciding] == ["ready"] * len(parts)
        for process, part in deciding:
            self._tell(process, *map(json.dumps, part), "")
        replies = [[json.loads(self._said(process)) for _ in part] for process, part in deciding]
        assert [self._said(process) for process, _ in deciding] == ["stopped"] * len(parts)
        return replies

    def end(self) -> None:
        for process in self._processes:
            process.communicate()
            assert process.returncode == 0

    @staticmethod
    def _tell(process: "subprocess.Popen[str]", *lines: str) -> None:
        assert process.stdin is not None
        process.stdin.writelines(f"{line}\n" for line in lines)
        process.stdin.flush()

    @staticmethod
    def _said(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

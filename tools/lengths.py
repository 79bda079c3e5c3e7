"""Hold functions to 70 lines and files to 650, so that every part stays readable at one sitting."""

import ast
import sys
from pathlib import Path

FUNCTION_LINES = 70
FILE_LINES = 650


def too_long(path: Path) -> list[str]:
    """Every function or file under `path` that is over its length, as text to print."""
    text = path.read_text(encoding="utf-8")
    found = []
    if (lines := text.count("\n")) > FILE_LINES:
        found.append(f"{path}: {lines} lines, at most {FILE_LINES}")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES:
                found.append(f"{path}:{node.lineno} {node.name}: {size} lines, at most {FUNCTION_LINES}")
    return found


if __name__ == "__main__":
    faults = [fault for root in sys.argv[1:] for path in sorted(Path(root).rglob("*.py")) for fault in too_long(path)]
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    sys.exit(bool(faults))

"""The kernel, compiled by Numba: loaded a second time, so that the plain one stays plain.

Machine code is cached on disk; the first run on a machine takes some seconds longer.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any


@cache
def kernel() -> Any:
    """The kernel module with its functions compiled, from the disk where this very text was compiled before."""
    module = _jitted()
    if module.source() != module.SOURCE:
        # Numba looks at a file's age and size only; code made from another text must never touch a state.
        for function in vars(module).values():
            if hasattr(function, "py_func"):
                function._cache.flush()
        module = _jitted()
    return module


def _jitted() -> ModuleType:
    import numba  # it takes half a second

    spec = find_spec("evenkeel.behaviour.kernel")
    assert spec is not None and spec.loader is not None and spec.origin is not None  # noqa: S101
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    digest = hashlib.sha256(Path(spec.origin).read_bytes()).digest()
    module.SOURCE = int.from_bytes(digest[:7], "big")  # type: ignore[attr-defined]
    jit = numba.njit(cache=True, nogil=True, error_model="numpy")
    for name, value in list(vars(module).items()):
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            setattr(module, name, jit(value))
    return module

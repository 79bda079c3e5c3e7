#!/bin/sh
# Make the virtual environment from the hashed lock. uv does it in seconds; where uv is missing it comes from PyPI.
set -eu
python=$1
venv=$2

echo "evenkeel: making $venv with $("$python" --version)"
rm -rf "$venv"
"$python" -m venv "$venv"
if command -v uv >/dev/null 2>&1; then
    uv=uv
else
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
    uv="$venv/bin/uv"
fi
VIRTUAL_ENV="$PWD/$venv"
UV_LINK_MODE=copy
export VIRTUAL_ENV UV_LINK_MODE
"$uv" pip install --quiet --require-hashes --requirements requirements.lock
"$uv" pip install --quiet --no-deps --no-build-isolation --editable .
"$venv/bin/evenkeel" --version

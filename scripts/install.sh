#!/usr/bin/env bash
# Bring a virtual environment to the state of a lock: `scripts/install.sh VENV LOCK [--project]`.
#
# Uses uv where it is on the PATH and pip otherwise; both install exactly what the lock names, checked by hash.
# With --project the tree itself is installed too, editable, built with what the lock brought: nothing unpinned is fetched.
set -euo pipefail

venv=$1
lock=$2
project=${3:-}
python=${PYTHON:-python3}

# A machine that sets this leaves every start of the program to compile itself anew.
unset PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 UV_COMPILE_BYTECODE=1 UV_NO_PROGRESS=1

die() {
  printf 'install: %s\n' "$@" >&2
  exit 2
}

command -v "$python" >/dev/null || die "no program named $python on the PATH; install Python 3.11 or later, or set PYTHON"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  die "$("$python" --version) is too old: Interlock needs 3.11 or later" "name another with PYTHON=… (for example: make setup PYTHON=python3.12)"

have_uv() { command -v uv >/dev/null && uv --version >/dev/null 2>&1; }

if ! [ -x "$venv/bin/python" ]; then
  if have_uv; then
    uv venv --quiet --python "$python" "$venv"
  elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv "$venv"
  else
    # Debian keeps ensurepip in a package of its own (python3-venv); the system's pip can serve the environment from outside.
    "$python" -m venv --without-pip "$venv"
  fi
fi

if have_uv; then
  install() { uv pip install --quiet --python "$venv/bin/python" "$@"; }
elif "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  install() { "$venv/bin/python" -m pip install --quiet "$@"; }
elif "$python" -m pip --version >/dev/null 2>&1; then
  install() { "$python" -m pip --python "$venv/bin/python" install --quiet "$@"; }
else
  die "neither uv nor pip is here; install one of them (Debian: apt-get install python3-pip python3-venv)"
fi

install --require-hashes -r "$lock"
if [ "$project" = --project ]; then
  install --no-deps --no-build-isolation --editable .
fi

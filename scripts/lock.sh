#!/usr/bin/env bash
# Pin what pyproject.toml asks for: exact versions, for every platform, by hash, without naming any index.
# Versions already pinned stay; `scripts/lock.sh --upgrade` takes the newest.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "lock: needs uv (pip install uv)" >&2; exit 2; }

more=("$@")

pin() {
  local lock=$1
  shift
  uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --output-file "requirements/$lock.lock" "${more[@]}" "$@"
}

pin run pyproject.toml requirements/build.in
pin serve pyproject.toml requirements/build.in --extra server --extra metrics --extra tracing --extra calendars \
  --extra postgres --extra redis --extra aws
pin lambda requirements/lambda.in --constraints requirements/serve.lock --excludes requirements/lambda.without
pin dev pyproject.toml requirements/build.in --extra all --group pyproject.toml:dev
pin docs --group pyproject.toml:docs
pin servers --group pyproject.toml:servers
pin airflow2 --group pyproject.toml:airflow2
pin airflow3 --group pyproject.toml:airflow3

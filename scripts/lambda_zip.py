"""Make the package of the functions on AWS: `python -m scripts.lambda_zip [--python PYTHON] [--out DIR] [--arch ARCH]…`.

One zip for each architecture: what the handlers of `interlock.aws.functions` can reach of Interlock, the wheels that
requirements/lambda.lock pins, checked by hash, and bytecode of both. It is for the Python that compiles it. The same tree
and the same Python give the same bytes, wherever the tree lies.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import grimp
from packaging.requirements import Requirement
from scripts.check_locks import entries

import interlock
from interlock.aws.functions import FUNCTIONS
from interlock.plugins import BUILTIN
from interlock.server.kinds import MODULES

ROOT: Final = Path(__file__).resolve().parent.parent
OUT: Final = ROOT / "dist/lambda"
PYTHON: Final = "python3.13"
ARCHITECTURES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}
MOST: Final = 6_000_000

SERVICES: Final = (
    "dynamodb",
    "emr",
    "emr-serverless",
    "glue",
    "lambda",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "stepfunctions",
    "sts",
)
"""What Interlock calls of AWS. botocore knows four hundred more, and looks through all that it knows."""

LEFT_OUT: Final = (
    "interlock.__main__",
    "interlock.archive",
    "interlock.cli",
    "interlock.client",
    "interlock.clients.postgres",
    "interlock.config.registered",
    "interlock.config.yaml12",
    "interlock.scaffold",
    "interlock.stores.postgres",
    "interlock.stores.redis",
    "interlock.stores.sqlite",
    "interlock.telemetry.metrics",
    "interlock.testing",
)
"""What a function never gets to, though code that it carries may name it: other stores, files in YAML, other shells."""

_FOR_ALL: Final = ("interlock", "interlock.evaluator")
_LIBRARIES: Final = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
_OF_SERVICES: Final = ("service-2.json", "service-2.sdk-extras.json", "endpoint-rule-set-1.json")
# The standard library and tzdata know the zones that dateutil keeps once more; botocore's data is taken by itself; a
# function runs in no browser.
_UNREAD: Final = ("__pycache__", "*.pyi", "py.typed", "dateutil-zoneinfo.tar.gz", "data", "emscripten")
_TASK: Final = "/var/task"
_VERSION: Final = re.compile(r"3\.[0-9]+")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_COMPILE: Final = f"""
import pathlib, py_compile, sys
root = pathlib.Path(sys.argv[1])
for source in sorted(root.rglob("*.py")):
    name = source.relative_to(root).as_posix()
    never = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), dfile="{_TASK}/" + name, doraise=True, invalidation_mode=never)
"""


class PackageFault(Exception):
    """The package cannot be made; the message says why and what to do."""


class Interpreter(NamedTuple):
    """The Python that compiles, and so the version of the runtime that the package is for."""

    path: str
    version: str


def find_python(named: str = PYTHON) -> Interpreter:
    """Return the interpreter of a name or a path; pyenv's are found too where its shim is not switched on.

    Raises:
        PackageFault: there is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for path in (shutil.which(named), *sorted(pyenv.glob(f"versions/*/bin/{named}"))):
        if path is None:
            continue
        ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"  # a shim is not what it finds
        answer = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False)
        version, _, real = answer.stdout.strip().partition(" ")
        if answer.returncode == 0 and _VERSION.fullmatch(version) and Path(real).is_file():
            return Interpreter(real, version)
    raise PackageFault(
        f"no interpreter {named} is here, and bytecode for a function is made by the Python that will run it: "
        "install it, or name another with LAMBDA_PYTHON=…"
    )


def modules() -> tuple[str, ...]:
    """Return the modules of Interlock that the handlers, the plug-ins and users' evaluators can reach, sorted.

    Raises:
        PackageFault: a handler is not there.
    """
    graph = grimp.build_graph("interlock", exclude_type_checking_imports=True, cache_dir=None)
    for left_out in sorted(m for m in graph.modules if _is_left_out(m)):
        graph.remove_module(left_out)
    roots = {function.module for function in FUNCTIONS} | {*_FOR_ALL}
    roots |= {module for module in (b.path.partition(":")[0] for b in BUILTIN.values()) if not _is_left_out(module)}
    # What each request of the contract does is imported by its name.
    roots |= {f"interlock.{part}.{name}" for part in ("api", "operations") for name in MODULES}
    absent = sorted(roots - graph.modules)
    if absent:
        raise PackageFault(
            f"no module {' and no '.join(absent)} is in Interlock: mend the table of functions or of plug-ins"
        )
    found = roots.union(*(graph.find_upstream_modules(root) for root in roots))
    parts = (module.split(".") for module in found)
    return tuple(sorted({".".join(names[:depth]) for names in parts for depth in range(1, len(names) + 1)}))


def build(out: Path, architecture: str, python: Interpreter) -> Path:
    """Make the package for one architecture and return where it is.

    Raises:
        PackageFault: it cannot be made.
    """
    machine = ARCHITECTURES[architecture]
    out.mkdir(parents=True, exist_ok=True)
    made = out / f"interlock-{architecture}.zip"
    with tempfile.TemporaryDirectory() as folder:
        wheels, tree = Path(folder) / "wheels", Path(folder) / "tree"
        _fetch(wheels, pinned(python.version, machine), python.version, machine)
        _take_third_parties(wheels, tree)
        _take_own(tree)
        _compile(tree, python)
        _write(tree, made)
    return made


def pinned(version: str, machine: str) -> str:
    """Return the requirements of the lock that hold for a Python on a machine, with their hashes and without conditions.

    pip would judge the conditions by the Python that it runs on itself.
    """
    there = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }
    lines = []
    for entry in entries((ROOT / "requirements/lambda.lock").read_text()):
        head, *hashes = entry.split(" --hash=")
        wanted = Requirement(head)
        if wanted.marker is None or wanted.marker.evaluate(there):
            lines.append(" --hash=".join((f"{wanted.name}{wanted.specifier}", *hashes)))
    return "\n".join(lines) + "\n"


def sizes(package: Path) -> dict[str, int]:
    """Return how many bytes of a package go to what, the largest first."""
    found: Counter[str] = Counter()
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            top, _, rest = entry.filename.partition("/")
            inside = "bytecode" if entry.filename.endswith(".pyc") else "data" if rest.startswith("data/") else "code"
            found[f"{top}, {inside}"] += entry.compress_size
    found["directory of the zip"] = package.stat().st_size - found.total()
    return dict(found.most_common())


def _is_left_out(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in LEFT_OUT)


def _fetch(wheels: Path, requirements: str, version: str, machine: str) -> None:
    wheels.mkdir(parents=True)
    listed = wheels.with_name("requirements.txt")
    listed.write_text(requirements)
    common = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", version]
    if _runs("uv"):
        argv = ["uv", "pip", "install", "--python", sys.executable]
        argv += ["--python-platform", f"{machine}-{_LIBRARIES[0]}"]
    else:
        argv = [sys.executable, "-m", "pip", "install", "--no-compile", "--implementation", "cp"]
        argv += [part for library in _LIBRARIES for part in ("--platform", f"{library}_{machine}")]
    done = subprocess.run(
        [*argv, *common, "--target", wheels, "-r", listed], capture_output=True, text=True, check=False
    )
    if done.returncode:
        why = done.stderr.strip()[-800:]
        raise PackageFault(
            f"the wheels of requirements/lambda.lock cannot be had. Is a package index within reach? It is said: {why}"
        )


def _runs(program: str) -> bool:
    found = shutil.which(program)
    return found is not None and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0


def _take_third_parties(wheels: Path, tree: Path) -> None:
    """Take what can be imported; leave what only installers and type checkers read.

    The wheels themselves stay as they are: their files may be uv's own.
    """
    tree.mkdir()
    for found in sorted(wheels.iterdir()):
        if found.suffix == ".dist-info":
            _take_about(found, tree / found.name)
        elif found.is_dir() and found.name not in {"bin", "__pycache__"}:
            shutil.copytree(found, tree / found.name, ignore=shutil.ignore_patterns(*_UNREAD))
        elif found.suffix == ".py":
            shutil.copy(found, tree)
    _take_models(wheels / "botocore/data", tree / "botocore/data")


def _take_about(about: Path, kept: Path) -> None:
    """Take of what describes a distribution its version, which some ask for when they are imported, and its licences."""
    kept.mkdir()
    for found in sorted(about.rglob("*")):
        if found.is_file() and found.name.upper().startswith(("METADATA", "LICEN", "NOTICE", "COPYING", "AUTHORS")):
            shutil.copy(found, kept)


def _take_models(known: Path, kept: Path) -> None:
    """Take of botocore's data the newest models of the services that are called, and what all of them need.

    Models lose what describes them to people, endpoints those of other services: it makes botocore quicker, and changes
    nothing else.
    """
    prefixes = set()
    for service in SERVICES:
        newest = max(path.name for path in (known / service).iterdir())
        (kept / service / newest).mkdir(parents=True)
        for path in sorted((known / service / newest).iterdir()):
            kind = path.name.removesuffix(".gz")
            if kind in _OF_SERVICES:
                model = json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
                _write_json(kept / service / newest / kind, _undocumented(model))
                prefixes.add(model.get("metadata", {}).get("endpointPrefix"))
    for path in known.glob("*.json"):
        everything: dict[str, Any] = json.loads(path.read_bytes())
        if path.name == "endpoints.json":
            for partition in everything["partitions"]:
                places = partition["services"]
                partition["services"] = {prefix: places[prefix] for prefix in places if prefix in prefixes}
        _write_json(kept / path.name, everything)


def _undocumented(value: Any) -> Any:
    if isinstance(value, dict):
        # A member may be called so too, and then it is an object.
        return {
            name: _undocumented(inner)
            for name, inner in value.items()
            if not (name == "documentation" and isinstance(inner, str))
        }
    return [_undocumented(inner) for inner in value] if isinstance(value, list) else value


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")


def _take_own(tree: Path) -> None:
    source = Path(interlock.__file__).parents[1]
    for module in modules():
        inside = Path(*module.split("."))
        inside = inside / "__init__.py" if (source / inside).is_dir() else inside.with_suffix(".py")
        (tree / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / inside, tree / inside)
    shutil.copy(ROOT / "LICENSE", tree / "interlock")


def _compile(tree: Path, python: Interpreter) -> None:
    # The order of sets goes into bytecode, and it goes by the seed.
    done = subprocess.run(
        [python.path, "-S", "-s", "-c", _COMPILE, tree],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PackageFault(f"{python.path} cannot compile the package: {done.stderr.strip()[-800:]}")


def _write(tree: Path, made: Path) -> None:
    """Write the zip: names in order, one date and one mode for all, so that equal contents are equal bytes."""
    half = made.with_name(f".{made.name}")
    with zipfile.ZipFile(half, "w") as archive:
        for path in sorted(_files(tree), key=lambda path: path.relative_to(tree).as_posix()):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    half.replace(made)


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in tree.rglob("*") if path.is_file())


def _told(package: Path) -> Iterable[str]:
    total = package.stat().st_size
    yield f"{package.name}  {total / 1e6:.2f} MB"
    yield from (f"  {size / 1e6:6.2f} MB  {what}" for what, size in sizes(package).items() if size > 20_000)
    if total > MOST:
        raise PackageFault(f"{package.name} has {total} bytes, and {MOST} are what it may have: see what grew above")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="make the package of the functions on AWS")
    parser.add_argument("--python", default=PYTHON, help="the Python that compiles, of the version that will run it")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder that the packages are written to")
    parser.add_argument("--arch", action="append", choices=ARCHITECTURES, help="one architecture; both when left out")
    asked = parser.parse_args(arguments)
    try:
        python = find_python(asked.python)
        for architecture in asked.arch or ARCHITECTURES:
            for line in _told(build(asked.out, architecture, python)):
                print(line)
    except PackageFault as fault:
        print(f"lambda: {fault}", file=sys.stderr)
        return 2
    except OSError as fault:
        print(f"lambda: the package cannot be written: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

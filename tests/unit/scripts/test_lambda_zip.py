"""The package of the functions is whole, holds nothing else, and is the same wherever it is made."""

from __future__ import annotations

import ast
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import grimp
import pytest
from botocore.session import Session
from scripts import lambda_zip
from scripts.lambda_zip import ARCHITECTURES, MOST, SERVICES, Interpreter, PackageFault, build, find_python, modules

from interlock.aws.functions import FUNCTIONS
from interlock.server.kinds import kinds

ROOT = Path(__file__).resolve().parents[3]
HERE = next((name for name, machine in ARCHITECTURES.items() if machine == platform.machine()), "")
OF_A_LAYER = "interlock.telemetry.tracing"
CARRIED = {
    *("botocore", "cronsim", "dateutil", "h11", "httpcore2", "httpx2", "idna", "interlock"),
    *("jmespath", "msgspec", "truststore", "tzdata", "urllib3"),
}

pytestmark = [pytest.mark.xdist_group("lambda_zip"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def python() -> Interpreter:
    try:
        return find_python()
    except PackageFault as fault:
        pytest.skip(str(fault))


@pytest.fixture(scope="module")
def packages(python: Interpreter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both packages, made once."""
    out = tmp_path_factory.mktemp("lambda")
    try:
        return {architecture: build(out, architecture, python) for architecture in ARCHITECTURES}
    except PackageFault as fault:
        if "cannot be had" not in str(fault) or "hash" in str(fault).lower():
            raise
        pytest.skip(str(fault))


@pytest.fixture(scope="module")
def unpacked(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not HERE:
        pytest.skip(f"functions run on {' and '.join(ARCHITECTURES)}, and this machine is {platform.machine()}")
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(packages[HERE]) as archive:
        archive.extractall(folder)
    return folder


def _said(python: Interpreter, unpacked: Path, script: str, *arguments: str) -> str:
    """Run a script with nothing to import but the standard library and the package."""
    start = f"import sys; sys.path.insert(0, {str(unpacked)!r})\n"
    done = subprocess.run(
        [python.path, "-I", "-S", "-B", "-c", start + script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class TestWhole:
    def test_every_handler_is_where_lambda_looks_for_it(self, python: Interpreter, unpacked: Path) -> None:
        script = """
import importlib
for place in sys.argv[1:]:
    module, _, name = place.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name)), place
"""
        _said(python, unpacked, script, *(function.handler for function in FUNCTIONS))

    def test_every_request_of_the_contract_can_be_answered_from_it(self, python: Interpreter, unpacked: Path) -> None:
        """Requests and what they do are imported by name, which no graph of imports shows."""
        code = (
            "from importlib import import_module\n"
            "from interlock.server.kinds import MODULES, kinds\n"
            "for name in MODULES: import_module(f'interlock.operations.{name}')\n"
            "print(len(kinds()))"
        )
        assert int(_said(python, unpacked, code)) == len(kinds())

    def test_every_module_in_it_can_be_imported_from_it_alone(self, python: Interpreter, unpacked: Path) -> None:
        carried = [module for module in modules() if module != OF_A_LAYER]
        assert len(carried) > 200
        _said(python, unpacked, "import importlib\nfor name in sys.argv[1:]: importlib.import_module(name)", *carried)

    def test_what_is_left_out_is_named_only_where_something_else_is_chosen(self) -> None:
        """A store that is not DynamoDB, files in YAML, and numbers to scrape: a function gets to none of them."""
        graph = grimp.build_graph("interlock", exclude_type_checking_imports=True, cache_dir=None)
        kept = set(modules())
        named = {
            (importer, imported)
            for importer in kept
            for imported in graph.find_modules_directly_imported_by(importer)
            if imported not in kept
        }
        assert {importer for importer, _ in named} == {
            "interlock.config.source",
            "interlock.operations.registering",
            "interlock.runtime.observing",
            "interlock.runtime.registered",
            "interlock.runtime.stores",
        }

    def test_whatever_is_called_of_aws_is_called_as_the_whole_botocore_does(
        self, python: Interpreter, unpacked: Path
    ) -> None:
        script = """
import sys
from botocore.session import Session
session = Session()
for service in sys.argv[1:]:
    for region in ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"):
        client = session.create_client(service, region, aws_access_key_id="key", aws_secret_access_key="key")
        print(service, region, client.meta.endpoint_url, *sorted(client.meta.method_to_api_mapping))
        client.close()
"""
        whole = subprocess.run(
            [sys.executable, "-c", script, *SERVICES], capture_output=True, text=True, check=True, timeout=50
        )
        assert _said(python, unpacked, script, *SERVICES) == whole.stdout

    def test_every_service_that_the_source_names_is_among_them(self) -> None:
        known = set(Session().get_available_services())
        named = {service for module in modules() for service in _services(module)} & known
        assert {"dynamodb", "glue", "secretsmanager", "sns", "sqs"} <= named <= {*SERVICES}

    def test_http_needs_nothing_that_is_not_there(self, python: Interpreter, unpacked: Path) -> None:
        script = """
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from interlock.clients.http import HttpClient

class Yes(BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass

with HTTPServer(("127.0.0.1", 0), Yes) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = HttpClient(allow=["127.0.0.0/8"])
    url = f"http://127.0.0.1:{server.server_port}/"
    print(client.send("POST", url, body=b"{}", timeout=timedelta(seconds=20)).status)
    client.close()
    server.shutdown()
"""
        assert _said(python, unpacked, script) == "204\n"


class TestNothingElse:
    def test_it_carries_these_and_no_others(self, packages: dict[str, Path]) -> None:
        """No YAML, no command line, no boto3."""
        for package in packages.values():
            tops = {name.partition("/")[0] for name in _names(package)}
            assert {top for top in tops if not top.endswith(".dist-info")} == {*CARRIED, "six.py", "__pycache__"}

    @pytest.mark.parametrize("module", lambda_zip.LEFT_OUT)
    def test_what_no_function_needs_is_left_out(self, packages: dict[str, Path], module: str) -> None:
        inside = module.replace(".", "/")
        assert (ROOT / "src" / inside).is_dir() or (ROOT / "src" / f"{inside}.py").is_file()
        for package in packages.values():
            assert not [name for name in _names(package) if name.startswith((f"{inside}/", f"{inside}.py"))]

    def test_the_two_differ_in_what_is_compiled_for_a_machine_alone(self, packages: dict[str, Path]) -> None:
        contents = {}
        for architecture, package in packages.items():
            with zipfile.ZipFile(package) as archive:
                machine = ARCHITECTURES[architecture]
                contents[architecture] = {
                    entry.filename: entry.CRC for entry in archive.infolist() if machine not in entry.filename
                }
                libraries = [name for name in archive.namelist() if name.endswith(".so")]
                assert libraries == [f"msgspec/_core.cpython-313-{machine}-linux-gnu.so"]
        assert contents["arm64"] == contents["x86_64"]

    def test_it_is_small(self, packages: dict[str, Path]) -> None:
        assert all(package.stat().st_size <= MOST for package in packages.values())

    def test_one_that_grew_too_large_is_refused(
        self,
        packages: dict[str, Path],
        python: Interpreter,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(lambda_zip, "build", lambda _out, architecture, _python: packages[architecture])
        assert lambda_zip.main([]) == 0
        monkeypatch.setattr(lambda_zip, "MOST", 1_000_000)
        assert lambda_zip.main(["--arch", "arm64"]) == 2
        assert "1000000 are what it may have" in capsys.readouterr().err

    def test_a_model_loses_what_describes_it_and_keeps_a_member_of_that_name(self) -> None:
        member = {"documentation": {"shape": "Text", "documentation": "<p>What it says.</p>"}}
        model = {"documentation": "<p>A thing.</p>", "members": member, "enum": ["documentation"]}
        assert lambda_zip._undocumented(model) == {
            "members": {"documentation": {"shape": "Text"}},
            "enum": ["documentation"],
        }


class TestTheSame:
    def test_the_same_tree_makes_the_same_bytes_wherever_it_lies(
        self, packages: dict[str, Path], python: Interpreter, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "some where else"
        for part in ("src/interlock", "scripts", "requirements"):
            shutil.copytree(ROOT / part, elsewhere / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", elsewhere)
        made = subprocess.run(
            [sys.executable, "-m", "scripts.lambda_zip", "--arch", "arm64", "--python", python.path],
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": str(elsewhere / "src"), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert made.returncode == 0, made.stderr
        assert (elsewhere / "dist/lambda/interlock-arm64.zip").read_bytes() == packages["arm64"].read_bytes()

    def test_nothing_in_it_tells_when_or_where_it_was_made(self, packages: dict[str, Path]) -> None:
        for package in packages.values():
            with zipfile.ZipFile(package) as archive:
                entries = archive.infolist()
                assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
                assert {(entry.date_time, entry.external_attr) for entry in entries} == {
                    ((1980, 1, 1, 0, 0, 0), 0o100644 << 16)
                }
                assert not [entry.filename for entry in entries if str(ROOT).encode() in archive.read(entry)]

    def test_bytecode_is_taken_without_looking_at_dates(self, packages: dict[str, Path]) -> None:
        """Dates in a sandbox say nothing; bytecode that is not taken makes a cold start three times as long."""
        with zipfile.ZipFile(packages["arm64"]) as archive:
            names = archive.namelist()
            flags = {archive.read(name)[4:8] for name in names if name.endswith(".pyc")}
        assert flags == {b"\x01\x00\x00\x00"}  # by hash, unchecked
        assert len([name for name in names if name.endswith(".py")]) == len([n for n in names if n.endswith(".pyc")])


class TestWhatItIsMadeOf:
    @pytest.mark.parametrize(("version", "needed"), [("3.12", True), ("3.13", False)])
    def test_conditions_are_judged_by_the_python_that_will_run_it(self, version: str, *, needed: bool) -> None:
        wanted = lambda_zip.pinned(version, "aarch64")
        assert ("typing-extensions==" in wanted) == needed
        assert "jsfetch" not in wanted
        assert ";" not in wanted
        assert all("==" in line and " --hash=sha256:" in line for line in wanted.splitlines())

    def test_a_handler_that_is_not_there_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        function = SimpleNamespace(module="interlock.aws.no_such_thing")
        monkeypatch.setattr(lambda_zip, "FUNCTIONS", [*FUNCTIONS, function])
        with pytest.raises(PackageFault, match=r"no module interlock\.aws\.no_such_thing is in Interlock"):
            modules()

    def test_without_the_python_of_the_functions_it_is_said_how_to_name_another(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shim = tmp_path / "python3.13"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
        assert lambda_zip.main([]) == 2
        assert "no interpreter python3.13 is here" in (said := capsys.readouterr().err)
        assert "LAMBDA_PYTHON=" in said

    def test_the_version_is_that_of_the_python_that_is_named(self) -> None:
        assert find_python(sys.executable) == Interpreter(sys.executable, f"3.{sys.version_info[1]}")

    def test_a_shim_is_asked_for_the_python_behind_it(self, tmp_path: Path) -> None:
        """It compiles without the environment by which a shim finds its Python."""
        shim = tmp_path / "python3.13"
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        shim.chmod(0o755)
        assert find_python(str(shim)).path == sys.executable

    @pytest.mark.parametrize("said", ["", "hello", "3.13", "3.13 /no/such/python"])
    def test_a_program_that_is_no_python_is_none(self, tmp_path: Path, said: str) -> None:
        (tmp_path / "program").write_text(f"#!/bin/sh\necho {said}\n")
        (tmp_path / "program").chmod(0o755)
        with pytest.raises(PackageFault, match="no interpreter"):
            find_python(str(tmp_path / "program"))

    def test_a_place_that_cannot_be_written_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(lambda_zip, "_fetch", lambda *_: pytest.fail("nothing can be kept there"))
        (tmp_path / "file").write_text("")
        assert lambda_zip.main(["--python", sys.executable, "--out", str(tmp_path / "file")]) == 2
        assert capsys.readouterr().err.startswith("lambda: the package cannot be written: ")

    def test_a_package_is_there_whole_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Terraform would deploy half of one."""
        tree = tmp_path / "tree"
        tree.mkdir()
        (tree / "a.py").write_text("1")
        (tree / "b.py").write_text("2")
        (tmp_path / "made.zip").write_text("what was there")

        def full(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *_: object) -> None:
            if entry.filename == "b.py":
                raise OSError("No space left on device")

        monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises(OSError, match="No space"):
            lambda_zip._write(tree, tmp_path / "made.zip")
        assert (tmp_path / "made.zip").read_text() == "what was there"


def _names(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as archive:
        return archive.namelist()


def _services(module: str) -> Iterator[str]:
    """Yield the services that a module names where it makes a client, or calls AWS through the door."""
    path = ROOT / "src" / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"AwsService", "ask", "call", "create_client"}:
                yield from (str(given.value) for given in node.args if isinstance(given, ast.Constant))

import ast
import math
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "torchatlas"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}


def requirements(*extras: str) -> list[Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return [one for one in map(Requirement, lines) if one.name != PROJECT["name"]]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    here = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    there = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert there == {path.relative_to(ROOT / "src").as_posix() for path in here}
    assert "torchatlas/py.typed" in there


def test_the_wheel_says_what_the_package_says(wheel: zipfile.ZipFile) -> None:
    folder = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(wheel.read(folder).decode())
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__(?:: str)? = "(.+)"$', text, re.MULTILINE)
    assert version is not None and metadata["Version"] == version.group(1)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert wheel.read(folder.replace("METADATA", "licenses/LICENSE")) == (ROOT / "LICENSE").read_bytes()


def test_the_command_is_the_function_that_the_wheel_names() -> None:
    module, _, function = PROJECT["scripts"]["torchatlas"].partition(":")
    page = ROOT.joinpath("src", *module.split(".")).with_suffix(".py")
    tree = ast.parse(page.read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_import_is_a_declared_dependency() -> None:
    declared = {canonicalize_name(one.name) for one in requirements(*EXTRAS)}
    undeclared = set()
    for page in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(page.read_text(encoding="utf-8"), str(page))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"torchatlas"}
            missing = {top for top in tops if canonicalize_name(DISTRIBUTIONS.get(top, top)) not in declared}
            undeclared |= {f"{page.relative_to(ROOT)}: {top}" for top in missing}
    assert not undeclared


def test_nothing_has_an_upper_bound() -> None:
    specifiers = [part for one in requirements(*EXTRAS) for part in one.specifier]
    assert {part.operator for part in specifiers} <= {">="}


@pytest.mark.parametrize("one", requirements("test", "dev"), ids=lambda one: one.name)
def test_constraints_pin_every_dependency(one: Requirement) -> None:
    pinned = pins().get(canonicalize_name(one.name))
    assert pinned is not None and one.specifier.contains(pinned)


def test_constraints_hold_names_and_versions_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    stated = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in stated)
    assert pins()["torch"] == "2.13.0"


def test_contributing_tells_every_make_target() -> None:
    told = set(re.findall(r"`make ([a-z]+)\b", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert told <= targets()
    assert {"demo", "test", "check", "new", "bench"} <= told


def test_the_worked_example_works() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    page, test = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    there: dict[str, Any] = {"__name__": "example", "math": math, "pytest": pytest, "torch": torch}
    exec(page.replace("from ...", "from torchatlas."), there)
    exec(test, there)
    for x in (-3.0, 0.0, 20.0):
        there["test_serf_is_the_papers_formula"](x)


def test_make_test_and_ci_run_the_whole_suite() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script and "\nmake check\n" in script and "\nmake test\n" in script

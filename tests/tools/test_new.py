import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = {
    "nn/activations": "layer",
    "nn/initialization": "function",
    "losses/regression": "loss",
    "losses/adversarial_pairs": "gan_loss",
    "networks/convolutional": "network",
    "metrics": "metric",
    "optim": "optimizer",
    "optim/schedules": "schedule",
    "generative/flows": "learner",
    "learning/few_shot": "learner",
    "inspection/attacks": "function",
}


@pytest.fixture(scope="module")
def new() -> ModuleType:
    spec = importlib.util.spec_from_file_location("new", ROOT / "tools" / "new.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def family_of(dots: str, *pages: str) -> str:
    lines = [f"    from .{page} import {page.title()} as {page.title()}" for page in pages]
    return "\n".join(
        [
            '"""A family."""',
            "",
            "from typing import TYPE_CHECKING",
            "",
            f"from {dots}cards.exports import exports",
            "",
            "if TYPE_CHECKING:",
            *lines,
            "else:",
            "    __getattr__, __dir__ = exports(__name__, __file__)",
            "",
        ]
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for family in FAMILIES:
        folder = tmp_path / "src" / "torchatlas" / family
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").write_text(family_of("." * (family.count("/") + 2), "beta"))
    return tmp_path


@pytest.mark.parametrize(("family", "kind"), FAMILIES.items())
def test_a_family_gets_the_stub_of_its_kind(new: ModuleType, family: str, kind: str) -> None:
    assert new.stub_of(family) == kind


@pytest.mark.parametrize("family", FAMILIES)
def test_stubs_import_the_card_from_the_package_root(new: ModuleType, tree: Path, family: str) -> None:
    page, _, _ = new.write(tree, "alpha_two", family)
    text = page.read_text()
    levels = {node.level for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)} - {0}
    depth = len(page.relative_to(tree / "src" / "torchatlas").parts)
    assert levels == {depth}
    assert '@method("alpha_two", ' in text


def test_stubs_keep_the_house_style(new: ModuleType, tree: Path) -> None:
    for family in FAMILIES:
        new.write(tree, "alpha_two", family)
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml"), "."]
        done = subprocess.run(ruff, cwd=tree, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_export_line_is_put_in_order(new: ModuleType, tree: Path) -> None:
    for name in ("gamma", "alpha"):
        new.write(tree, name, "optim")
    text = (tree / "src/torchatlas/optim/__init__.py").read_text()
    assert text == family_of("..", "alpha", "beta", "gamma")


def test_the_first_export_of_a_family(new: ModuleType) -> None:
    line = "from .alpha import Alpha as Alpha"
    assert new.with_export('"""A family."""\n', line, "...") == family_of("...", "alpha")
    assert new.with_export("", line, "...") == family_of("...", "alpha").partition("\n\n")[2]


def test_the_test_stub_fails_until_it_is_written(new: ModuleType, tree: Path) -> None:
    _, _, test = new.write(tree, "alpha", "nn/activations")
    assert test == tree / "tests/nn/activations/test_alpha.py"
    assert "from torchatlas.nn.activations import Alpha" in test.read_text()
    with pytest.raises(NotImplementedError, match="alpha"):
        exec(test.read_text().partition("\n\n\n")[2].partition("@pytest")[0] + "reference(0.0)", {})


@pytest.mark.parametrize(
    ("name", "family", "cure"),
    [
        ("Mish", "nn/activations", "small letters"),
        ("class", "nn/activations", "small letters"),
        ("", "nn/activations", "NAME="),
        ("mish", "nn/activation", "did you mean nn/activations"),
        ("mish", "", "FAMILY="),
        ("mish", "../..", "no family"),
    ],
)
def test_wrong_words_are_refused(new: ModuleType, tree: Path, name: str, family: str, cure: str) -> None:
    with pytest.raises(new.Refused, match=cure):
        new.write(tree, name, family)


def test_what_exists_is_never_overwritten(new: ModuleType, tree: Path) -> None:
    page, exports, _ = new.write(tree, "alpha", "optim")
    page.write_text("mine\n")
    before = exports.read_text()
    with pytest.raises(new.Refused, match="exists already"):
        new.write(tree, "alpha", "optim")
    assert page.read_text() == "mine\n" and exports.read_text() == before

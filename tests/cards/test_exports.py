"""A family's exports wait until they are asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

import torchatlas

ROOT = Path(torchatlas.__file__).parent


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_creating_a_network_imports_its_own_page_and_what_that_uses():
    code = (
        "import sys, torchatlas; torchatlas.create('mobilenetv2_100')\n"
        "print(*(name for name in sys.modules if name.startswith('torchatlas.networks.')))"
    )
    family = "torchatlas.networks.lightweight"
    pages = {"torchatlas.networks.image", "torchatlas.networks.layers", family}
    assert set(run(code).split()) == {*pages, f"{family}.inverted_residual", f"{family}.mobilenet_v2"}


def test_names_come_when_they_are_asked_for_and_are_listed():
    code = (
        "import sys; from torchatlas.nn import activations\n"
        "before = 'torchatlas.nn.activations.acon' in sys.modules\n"
        "print(before, activations.ACON.__module__, 'ACON' in dir(activations), len(dir(activations)))"
    )
    before, module, listed, count = run(code).split()
    assert (before, module, listed) == ("False", "torchatlas.nn.activations.acon", "True") and int(count) > 10


def test_an_unknown_name_is_refused():
    with pytest.raises(ImportError, match="cannot import name 'Nonsense'"):
        from torchatlas.nn.activations import Nonsense  # noqa: F401
    with pytest.raises(AttributeError, match=r"torchatlas\.losses has no 'Nonsense'"):
        torchatlas.losses.Nonsense  # noqa: B018


WAITING = [path for path in ROOT.rglob("__init__.py") if "exports(__name__" in path.read_text()]


@pytest.mark.parametrize("path", WAITING, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_no_export_has_the_name_of_a_page(path):
    """Importing the page would put the page itself in the export's place."""
    package = ".".join(["torchatlas", *path.parent.relative_to(ROOT).parts])
    module = __import__(package, fromlist=["x"])
    names = set(module.__dir__())
    assert names and not names & {page.stem for page in path.parent.glob("*.py")}
    assert all(getattr(module, name) is not None for name in names)

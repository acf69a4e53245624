from pathlib import Path

import pytest

from torchatlas.cards.card import Card
from torchatlas.cards.reader import catalog
from torchatlas.study.verify.sources import pages_of

PACKAGE = {
    "cards/card.py": "",
    "engine/__init__.py": "",
    "engine/errors.py": "",
    "engine/learner.py": "from .errors import Oops\nimport torch\n",
    "nn/__init__.py": "from .blocks import B as B, other as renamed\nfrom .waves import Wave as Wave\n",
    "nn/blocks.py": "from ..engine.errors import Oops\n",
    "nn/waves.py": "",
    "nn/unused.py": "",
    "nets/__init__.py": "from .net import Net as Net\n",
    "nets/net.py": "",
}


def closure(tmp_path: Path, text: str) -> set[str]:
    root = tmp_path / "toy"
    for page, body in {**PACKAGE, "nets/net.py": text}.items():
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        (root / page).write_text(body)
    card = Card("net", "nets", "network", "toy.nets.net:Net", page="nets/net.py")
    return set(pages_of(card, root)) - {"nets/net.py"}


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("import torch\nfrom pathlib import Path\n", set()),
        ("from ..cards.card import method\n", set()),
        ("from ..engine.errors import Oops\n", {"engine/errors.py"}),
        ("from ..engine import errors\n", {"engine/errors.py"}),
        ("import toy.engine.errors\n", {"engine/errors.py"}),
        ("from toy.engine.learner import Learner\n", {"engine/learner.py", "engine/errors.py"}),
        ("def build():\n    from ..engine.learner import L\n", {"engine/learner.py", "engine/errors.py"}),
        ("from ..nn import Wave\n", {"nn/waves.py"}),
        ("from ..nn import renamed\n", {"nn/blocks.py", "engine/errors.py"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..nn import Wave\n", set()),
    ],
)
def test_imports_are_followed_to_the_page_that_defines(tmp_path, text, pages):
    assert closure(tmp_path, text) == pages


def test_circles_end(tmp_path):
    assert closure(tmp_path, "from .net import Net\nfrom . import Net\n") == set()


def test_a_library_s_thing_has_no_pages_and_ours_has_its_own():
    assert pages_of(catalog()["relu"]) == ()
    assert set(pages_of(catalog()["vae"])) >= {
        "generative/variational/vae.py",
        "generative/variational/bounds.py",
        "networks/dense/mlp.py",
        "engine/learner.py",
    }
    assert "networks/dense/linear.py" not in pages_of(catalog()["vae"])

import sys
from pathlib import Path

import pytest
import torch

from torchatlas.cards.reader import catalog, find
from torchatlas.study.laws import laws_for
from torchatlas.study.verify.laws import law_lines, page_of, run, with_kind

OWN = """
import torch
from torch import nn


class Uphill(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr, maximize=True)


class Net(nn.Module):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__()
        self.body, self.head = nn.Linear(in_features, 8), nn.Linear(8, num_classes)

    def forward_features(self, x):
        return self.body(x).tanh()

    def forward(self, x):
        return self.head(self.forward_features(x))


class Mixes(Net):
    def forward_features(self, x):
        return super().forward_features(x - x.mean(0))


class Refuses(Net):
    def __init__(self, in_features=12, num_classes=3):
        raise ZeroDivisionError("no such net")


def function(x):
    return x
"""


@pytest.fixture(autouse=True)
def own_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own_things.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_things", None)


def failing(name: str) -> dict[str, str]:
    return {line.name: line.message for line in law_lines(find(name)) if line.passes is False}


def test_one_s_own_sound_network_keeps_the_laws_and_broken_ones_do_not():
    lines = list(law_lines(find("own_things:Net")))
    assert len(lines) > 5 and all(line.passes for line in lines)
    assert "samples_stand_alone" in failing("own_things:Mixes")
    assert {"descends_a_parabola", "descends_rosenbrock"} <= set(failing("own_things:Uphill"))


def test_an_error_that_is_no_law_s_word_is_told_with_its_type_and_place():
    broken = failing("own_things:Refuses")
    assert broken and all("ZeroDivisionError: no such net (own_things.py, line" in m for m in broken.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("own_things:Net", "network"),
        ("own_things:Uphill", "optimizer"),
        ("own_things:function", "own"),
        ("relu", "activation"),
        ("vae", "learner"),
    ],
)
def test_kinds_of_one_s_own_things_are_seen_from_their_class(name, kind):
    assert with_kind(find(name)).kind == kind


def test_lines_are_the_laws_that_pytest_walks():
    card = catalog()["relu"]
    lines, laws = list(law_lines(card)), list(laws_for(card))
    assert [line.name for line in lines] == [law.name for law in laws]
    assert {line.page for line in lines} == {page_of(law) for law in laws} == {"study/laws/activations.py"}
    assert all(line.passes and line.clock is not None for line in lines)


def test_each_check_meets_the_same_generators_and_says_what_it_counted():
    drawn = [run("draws", "", lambda: str(torch.rand(3).tolist())).message for _ in range(2)]
    assert drawn[0] == drawn[1]

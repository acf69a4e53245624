"""Whatever is trained: a loss that is not finite stops the run before the weights move, and is replayed."""

from pathlib import Path

import pytest
import torch
from tools.soak import cases, furnish

from torchatlas.engine.checkpoint import Store, read_state
from torchatlas.engine.errors import NotFinite
from torchatlas.study.training import train as page
from torchatlas.study.training.train import replay, train

STEP = 3
NAMES = [case.name for case in cases(Path())]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def spoiled(make_loop):
    """The loop of a run whose learner's losses are not finite from step 3 on."""

    def make(*given, **words):
        loop = make_loop(*given, **words)
        loss = loop.learner.loss

        def bad(player, batch):
            found = loss(player, batch)
            if loop.step < STEP:
                return found
            value, logs = found if isinstance(found, tuple) else (found, {})
            return value * float("nan"), logs

        loop.learner.loss = bad
        return loop

    return make


@pytest.mark.parametrize("name", NAMES)
def test_the_run_stops_before_the_weights_move(tmp_path, home, monkeypatch, name):
    (case,) = (case for case in cases(home) if case.name == name)
    furnish(case, home)
    settings = {**case.settings, "steps": 6, "save_every_steps": 1}
    data = settings.pop("data")
    monkeypatch.setattr(page, "make_loop", spoiled(page.make_loop))
    with pytest.raises(NotFinite, match=f"step {STEP}: the loss or a gradient is not finite"):
        train(case.method, data, out=tmp_path / "run", **settings)
    step, state = Store(tmp_path / "run" / "checkpoints").newest(print)
    (folder,) = (tmp_path / "run" / "failures").iterdir()
    left = read_state(folder)["learner"]
    assert step == STEP and left.keys() == state["learner"].keys()
    torch.testing.assert_close(left, state["learner"], rtol=0, atol=0, equal_nan=True)
    assert replay(folder)[0] == ""  # the learner itself is sound: the fault was put in from outside

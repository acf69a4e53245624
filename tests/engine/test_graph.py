import pytest
import torch
from torch import nn

from torchatlas.engine import numerics
from torchatlas.engine.gradient import Gradient
from torchatlas.engine.learner import Learner
from torchatlas.engine.numerics import EXACT, Numerics


class Fit(Learner):
    """Least squares of a network, with a log."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def loss(self, player, batch):
        error = (self.network(batch[0]).flatten(1).sum(1) - batch[1]).square().mean()
        return error, {"root": error.sqrt()}


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x.flatten(1)).tanh())


class Idle(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(6, 2), nn.Linear(6, 2)

    def forward(self, x):
        return self.used(x.flatten(1))


NETS = {
    "plain": lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 1)),
    "dropout": lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 40), nn.Dropout(0.5), nn.Linear(40, 1)),
    "tied": Tied,
    "convolution": lambda: nn.Conv2d(1, 4, (2, 3)),
    "layer norm": lambda: nn.Sequential(nn.Flatten(), nn.LayerNorm(6), nn.Linear(6, 2)),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(numerics, "BACKEND", "aot_eager")


def found(network, how, rows=8):
    torch.manual_seed(0)
    learner = Fit(network())
    how.place(learner)
    gradient = Gradient(learner, numerics=how)
    owned = learner.owned("all")
    batch = torch.randn(rows, 1, 2, 3), torch.randn(rows)
    told = gradient("all", owned, batch, (0, 3, 0), [b.clone() for b in learner.buffers()])
    return gradient, told, owned


@pytest.mark.parametrize("how", [Numerics(compiled=True), Numerics(compiled=True, channels_last=True)])
@pytest.mark.parametrize("name", NETS)
def test_a_graph_has_autograds_gradients_and_noise(name, how):
    _, exact, owned = found(NETS[name], EXACT)
    gradient, told, mine = found(NETS[name], how)
    assert gradient.graphs["all"] is not None
    assert told.loss == pytest.approx(exact.loss.item(), rel=1e-5)
    assert told.logs["root"] == pytest.approx(exact.logs["root"].item(), rel=1e-5)
    for weight, other in zip(mine, owned, strict=True):
        assert torch.allclose(weight.grad, other.grad, rtol=1e-4, atol=1e-6)
        assert weight.grad.stride() == weight.stride()
    assert any(weight.grad.any() for weight in mine)


@pytest.mark.parametrize(
    "network", [Idle, lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6), nn.Linear(6, 1))]
)
def test_moving_buffers_and_idle_weights_are_left_to_autograd(network):
    gradient, told, owned = found(network, Numerics(compiled=True))
    _, exact, others = found(network, EXACT)
    assert gradient.graphs == {"all": None}
    assert told.loss == pytest.approx(exact.loss.item(), rel=1e-5)
    assert [w.grad is None for w in owned] == [w.grad is None for w in others]
    moved = zip(gradient.learner.buffers(), _.learner.buffers(), strict=True)
    assert all(torch.allclose(mine, other) for mine, other in moved)  # once, not twice


def test_another_number_of_rows_is_another_graph():
    torch.manual_seed(0)
    learner = Fit(NETS["plain"]())
    gradient, owned = Gradient(learner, numerics=Numerics(compiled=True)), learner.owned("all")
    for rows in (8, 3, 8):
        batch = torch.randn(rows, 1, 2, 3), torch.randn(rows)
        told = gradient("all", owned, batch, (0, 0, 0), [])
        expected = learner.loss("all", batch)[0]
        grads = torch.autograd.grad(expected, owned)
        assert told.loss == pytest.approx(expected.item(), rel=1e-5)
        assert all(torch.allclose(w.grad, g, atol=1e-6) for w, g in zip(owned, grads))

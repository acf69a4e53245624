import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from torchatlas.engine.errors import UsageError
from torchatlas.losses.penalties import RDrop, VirtualAdversarial

Y = torch.tensor([0, 2, 1, 2])


def loss(scores):
    return cross_entropy(scores, Y)


def probabilities(scores):
    top = max(scores)
    e = [math.exp(s - top) for s in scores]
    return [v / sum(e) for v in e]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


class Two(nn.Module):
    """One answer first, another one then."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def forward(self, x):
        return self.answers.pop(0)


def test_r_drop_is_the_paper_s_loss_less_the_first_term():
    torch.manual_seed(0)
    first, second = (2 * torch.randn(4, 3, dtype=torch.double) for _ in range(2))
    network = Two(first, second)
    value = RDrop(0.7)(network, torch.zeros(4, 2), network(None), loss).item()
    rows = list(zip(map(probabilities, first.tolist()), map(probabilities, second.tolist()), strict=True))
    again = -sum(math.log(q[y]) for (_, q), y in zip(rows, Y.tolist(), strict=True)) / 4
    apart = sum(kl(p, q) + kl(q, p) for p, q in rows) / 4
    assert value == pytest.approx(again + 0.35 * apart, rel=1e-10)


def test_without_noise_the_second_pass_costs_what_the_first_does():
    layer, x = nn.Linear(2, 3), torch.randn(4, 2)
    assert RDrop(5.0)(layer, x, layer(x), loss).item() == pytest.approx(loss(layer(x)).item(), rel=1e-6)
    noisy = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 3))
    assert RDrop(5.0)(noisy, x, noisy(x), loss).item() > loss(noisy.eval()(x)).item() * 0.5


def test_vat_moves_to_where_the_divergence_bends_most():
    """Of a softmax of a linear map, the bend is W' (diag p - p p') W: its first eigenvector is sought."""
    torch.manual_seed(0)
    layer, x = nn.Linear(5, 3).double(), torch.randn(4, 5, dtype=torch.double)
    scores = layer(x)
    epsilon = 0.01
    found = VirtualAdversarial(epsilon, xi=1e-3, iterations=60)(layer, x, scores).item()
    expected = 0.0
    for p in scores.softmax(1).detach():
        bend = layer.weight.detach().T @ (torch.diag(p) - torch.outer(p, p)) @ layer.weight.detach()
        expected += epsilon**2 / 2 * torch.linalg.eigvalsh(bend)[-1].item() / 4
    assert found == pytest.approx(expected, rel=0.02)
    random = VirtualAdversarial(epsilon, iterations=0)(layer, x, scores).item()
    assert 0 < random < 0.9 * found


def test_vat_is_the_divergence_at_a_distance_and_holds_the_first_answer_fixed():
    torch.manual_seed(0)
    layer, x = nn.Linear(2, 3).double(), torch.randn(4, 2, dtype=torch.double)
    seen = []
    layer.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    scores = layer(x)
    value = VirtualAdversarial(0.8, strength=2.0)(layer, x, scores)
    assert (seen[-1] - x).norm(dim=1).tolist() == pytest.approx([0.8] * 4)
    near = layer(seen[-1])
    rows = zip(map(probabilities, scores.tolist()), map(probabilities, near.tolist()), strict=True)
    assert value.item() == pytest.approx(2 * sum(kl(p, q) for p, q in rows) / 4, rel=1e-9)
    (slope,) = torch.autograd.grad(value, layer.bias)
    expected = 2 * (near.softmax(1) - scores.softmax(1)).mean(0)  # the gradient by q alone
    torch.testing.assert_close(slope, expected.detach(), rtol=1e-9, atol=1e-12)


def test_vat_keeps_averages_and_takes_hard_inputs():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3))
    x = torch.randn(8, 2)
    scores = network(x)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert VirtualAdversarial()(network, x, scores).item() >= 0
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network[0].track_running_stats
    assert VirtualAdversarial(0.0)(network, x, scores).item() == pytest.approx(0, abs=1e-6)
    flat = nn.Linear(2, 3)
    with torch.no_grad():
        flat.weight.zero_()  # nothing bends: the direction is 0
    value = VirtualAdversarial()(flat, x, flat(x))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6) and flat.weight.grad.isfinite().all()


def test_what_does_not_fit_is_told():
    layer = nn.Linear(2, 1)
    for penalty in (RDrop(), VirtualAdversarial()):
        with pytest.raises(UsageError, match="probabilities of classes"):
            penalty(layer, torch.zeros(4, 2), layer(torch.zeros(4, 2)), loss)
    with pytest.raises(UsageError, match="whole numbers"):
        VirtualAdversarial()(nn.Linear(2, 3), torch.zeros(4, 2).long(), torch.zeros(4, 3))
    for wrong in (lambda: VirtualAdversarial(xi=0.0), lambda: VirtualAdversarial(-1.0), lambda: RDrop(-1.0)):
        with pytest.raises(UsageError):
            wrong()

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.learning.few_shot import FOMAML, MAML
from torchatlas.networks.convolutional import Conv4


def half_squares(prediction, target):
    return (prediction - target).square().sum() / (2 * len(target))


def regression(kind, steps, rate=0.1):
    torch.manual_seed(0)
    net = nn.Linear(3, 1, bias=False).double()
    one = kind(net, inner_lr=rate, inner_steps=steps, criterion=half_squares)
    draw = [torch.randn(2, n, d, dtype=torch.double) for n, d in ((5, 3), (5, 1), (7, 3), (7, 1))]
    return one, draw


def outer(one, batch):
    return half_squares(one.logits(batch, training=True).flatten(0, 1), batch[3].flatten(0, 1))


@pytest.mark.parametrize("steps", [1, 3])
def test_on_squares_the_outer_gradient_is_known(steps):
    """With Hessian H of a task's support loss the outer gradient is (I - aH)^K times that at the end."""
    for kind in (MAML, FOMAML):
        one, (sx, sy, qx, qy) = regression(kind, steps)
        outer(one, (sx, sy, qx, qy)).backward()
        total = torch.zeros(3, dtype=torch.double)
        for e in range(2):
            hessian, pull = sx[e].T @ sx[e] / 5, sx[e].T @ sy[e, :, 0] / 5
            w = one.network.weight.detach()[0]
            for _ in range(steps):
                w = w - 0.1 * (hessian @ w - pull)
            gradient = qx[e].T @ (qx[e] @ w - qy[e, :, 0]) / 14
            bent = torch.linalg.matrix_power(torch.eye(3) - 0.1 * hessian, steps)
            total += bent @ gradient if kind is MAML else gradient
        torch.testing.assert_close(one.network.weight.grad[0], total, rtol=1e-10, atol=1e-12)


def tangled(kind):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    one = kind(net, 3, 2, 4, inner_lr=0.5, inner_steps=2)
    sy, qy = (torch.arange(3).repeat_interleave(n).expand(2, -1) for n in (2, 4))
    return one, (torch.randn(2, 6, 4).double(), sy, torch.randn(2, 12, 4).double(), qy)


def test_the_outer_gradient_is_that_of_finite_differences_and_the_first_order_one_is_not():
    one, batch = tangled(MAML)
    one.loss("all", batch)[0].backward()
    one.requires_grad_(False)
    apart = 0.0
    first, _ = tangled(FOMAML)
    first.loss("all", batch)[0].backward()
    for parameter, other in zip(one.parameters(), first.parameters(), strict=True):
        flat, step = parameter.data.view(-1), 1e-5
        for k in range(0, len(flat), 3):
            ends = []
            for sign in (1, -2):
                flat[k] += sign * step
                ends.append(one.loss("all", batch)[0].item())
            flat[k] += step
            slope = (ends[0] - ends[1]) / (2 * step)
            assert abs(parameter.grad.view(-1)[k].item() - slope) < 1e-8
            apart = max(apart, abs(other.grad.view(-1)[k].item() - slope))
    assert apart > 1e-3


def test_episodes_are_adapted_each_by_itself_as_by_hand():
    one, (sx, sy, qx, qy) = tangled(MAML)
    logits = one.logits((sx, sy, qx, qy))
    for e in range(2):
        weights = [p.detach().clone().requires_grad_() for p in one.parameters()]

        def run(x, w):
            return torch.tanh(x @ w[0].T + w[1]) @ w[2].T + w[3]

        for _ in range(2):
            slopes = torch.autograd.grad(F.cross_entropy(run(sx[e], weights), sy[e]), weights)
            weights = [(w - 0.5 * s).detach().requires_grad_() for w, s in zip(weights, slopes, strict=True)]
        torch.testing.assert_close(logits[e], run(qx[e], weights))


def test_scores_need_no_gradient_and_leave_the_weights_alone():
    one, batch = tangled(MAML)
    before = [p.clone() for p in one.parameters()]
    with torch.no_grad():
        quiet = one.requires_grad_(False).eval().scores(batch)
    assert all(torch.equal(a, b) for a, b in zip(before, one.parameters(), strict=True))
    torch.testing.assert_close(quiet["loss"], one.requires_grad_().scores(batch)["loss"].detach())
    assert quiet["accuracy"].shape == (24,)


def test_batch_normalisation_knows_the_present_batch_alone_and_is_learned_outside_only():
    torch.manual_seed(0)
    one = MAML.for_data(Spec("image", (1, 8, 8), "classification", 9), way=3, query=4, train_query=4)
    assert isinstance(one.network, Conv4) and not list(one.network.buffers())
    sy, qy = torch.arange(3).expand(2, -1), torch.arange(3).repeat_interleave(4).expand(2, -1)
    batch = (torch.randn(2, 3, 1, 8, 8), sy, torch.randn(2, 12, 1, 8, 8), qy)
    torch.testing.assert_close(one.train().logits(batch), one.eval().logits(batch))
    less = (batch[0], sy, batch[2][:, :6], qy[:, :6])
    assert not torch.allclose(one.logits(less), one.logits(batch)[:, :6])
    with torch.no_grad():  # the first gain at zero: no input gets through, unless the gain is adapted
        first = one.network.body[1]
        first.weight.zero_()
        first.bias.fill_(0.5)
    logits = one.logits(batch)
    torch.testing.assert_close(logits, logits[:, :1].expand_as(logits))


def sines(count, generator):
    """Tasks A sin(x - b): ten support and ten query points each."""
    size = 0.1 + 4.9 * torch.rand(count, 1, 1, generator=generator)
    phase = torch.pi * torch.rand(count, 1, 1, generator=generator)
    x = 10 * torch.rand(count, 20, 1, generator=generator) - 5
    y = size * torch.sin(x - phase)
    return x[:, :10], y[:, :10], x[:, 10:], y[:, 10:]


def test_one_step_on_a_new_sine_leads_far():
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
    one = MAML(net, inner_lr=0.01, criterion=F.mse_loss)
    optimizer = torch.optim.Adam(one.parameters(), lr=0.005)
    for _ in range(400):
        batch = sines(25, draw)
        optimizer.zero_grad()
        F.mse_loss(one.logits(batch, training=True), batch[3]).backward()
        optimizer.step()
    batch = sines(200, draw)
    after = F.mse_loss(one.logits(batch), batch[3]).item()
    before = F.mse_loss(net(batch[2]), batch[3]).item()
    assert after < 0.6 * before, (before, after)


@pytest.mark.parametrize("name", ["maml", "fomaml"])
def test_stopped_and_gone_on(tmp_path, name):
    small = {"way": 2, "query": 3, "train_query": 2, "backbone": "mlp(hidden=8)", "validate_every": 4}
    assert_stopped_is_whole(tmp_path, name, 8, 5, valid=0.3, batch_size=3, **small)

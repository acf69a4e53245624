import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.engine.loop import ENDLESS
from torchatlas.learning.semi_supervised import MeanTeacher
from torchatlas.learning.semi_supervised.mean_teacher import frozen

TABLE = Spec("table", (6,), "classification", 3)


def learner(spec=TABLE, **options) -> MeanTeacher:
    torch.manual_seed(0)
    return MeanTeacher.for_data(spec, **options).double()


def batch(spec=TABLE, few=4, many=6):
    torch.manual_seed(1)
    x, u = (torch.randn(n, *spec.shape, dtype=torch.double) for n in (few, many))
    return x, torch.arange(few) % 3, u


def softmax(a):
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_the_loss_is_the_papers():
    one, (x, y, u) = learner(cost=7.0), batch()
    with torch.no_grad():  # a teacher that differs from the network
        for tensor in one.teacher.buffers():
            tensor.add_(0.3 * torch.randn_like(tensor))
    one.planned(100, 10)
    one.updated("all", 8)  # 27 steps of ramp, 9 taken; the teacher moves a little
    torch.manual_seed(2)
    loss, told = one.loss("all", (x, y, u))
    torch.manual_seed(2)
    rows = torch.cat([x, u])
    first, second = (rows + 0.15 * torch.randn_like(rows) for _ in range(2))
    p = softmax(one.network(first).detach().numpy())
    q = softmax(one.teacher(second).detach().numpy())
    supervised = -np.log(p[range(4), y.numpy()]).mean()
    disagreement = ((p - q) ** 2).sum() / (3 * 10)
    weight = 7 * math.exp(-5 * (1 - 9 / 27) ** 2)
    assert disagreement > 1e-4
    np.testing.assert_allclose(loss.item(), supervised + weight * disagreement, rtol=1e-6)
    np.testing.assert_allclose(told["consistency"].item(), disagreement, rtol=1e-6)


def test_the_teacher_is_the_running_mean_of_weights():
    one, values = learner(decay=0.7, late_decay=0.9), []
    one.planned(20, 5)  # a ramp of 5 steps
    assert one.rise == 5
    expected: torch.Tensor | None = None
    for step in range(8):
        with torch.no_grad():
            one.network.head.weight.add_(torch.randn_like(one.network.head.weight))
        values.append(one.network.head.weight.detach().clone())
        one.updated("all", step)
        d = min(1 - 1 / (step + 1), 0.7 if step < 5 else 0.9)
        expected = values[-1] if expected is None else d * expected + (1 - d) * values[-1]
        torch.testing.assert_close(one.teacher.head.weight, expected)
    assert not torch.equal(one.teacher.head.weight, one.network.head.weight)


def test_agreement_moves_the_network_and_not_the_teacher():
    one, (x, y, u) = learner(), batch()
    _, told = one.loss("all", (x, y, u))  # the teacher equals the network: only the noise differs
    told["consistency"].backward()
    assert all(p.grad.abs().max() > 0 for p in one.network.parameters())
    assert not list(one.teacher.parameters()) and not any(b.requires_grad for b in one.teacher.buffers())


def test_a_frozen_copy_does_what_the_module_does_and_trains_its_own_batch_statistics():
    net = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(108, 2))
    still, x = frozen(net), torch.randn(5, 1, 8, 8)
    torch.testing.assert_close(still(x), net(x))
    assert set(still.state_dict()) == set(net.state_dict()) and not list(still.parameters())
    before = copy.deepcopy(net.state_dict())
    still(x + 3)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert not torch.equal(still[1].running_mean, net[1].running_mean)


def test_the_weight_rises_over_its_share_of_the_run_and_stays():
    one = learner(cost=2.0, ramp=0.5)
    one.planned(100, 10)
    rise = []
    for step in range(60):
        rise.append(one.weight().item())
        one.updated("all", step)
    np.testing.assert_allclose(
        rise[:50], [2 * math.exp(-5 * (1 - t / 50) ** 2) for t in range(50)], rtol=1e-5
    )
    assert rise[50:] == [2.0] * 10
    one.planned(ENDLESS, 10)
    assert one.rise == 50


def test_the_teacher_is_scored_and_predicts():
    one, (x, y, _) = learner(), batch()
    with torch.no_grad():
        one.teacher.head.bias.add_(torch.tensor([5.0, 0.0, 0.0]))
    p = softmax(one.teacher(x).detach().numpy())
    np.testing.assert_allclose(one.predict(x).detach().numpy(), p)
    scores = one.scores((x, y))
    np.testing.assert_allclose(scores["loss"].detach().numpy(), -np.log(p[range(4), y.numpy()]))
    assert scores["accuracy"].tolist() == (p.argmax(1) == y.numpy()).tolist()


@pytest.mark.parametrize("at", [2, 5])
def test_stopped_and_gone_on(tmp_path, at):
    assert_stopped_is_whole(
        tmp_path, "mean_teacher", 8, at, labels=60, batch_size=16, valid=0.3, validate_every=4
    )

import pytest
import torch

from embedded import batch, dot, far, log_sum, mean, unit
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.metric import Embedding
from torchatlas.losses.metric import ProxyAnchor, ProxyNCA, ProxyNCAPlusPlus
from torchatlas.study.training.build import build
from torchatlas.study.training.recipe import Recipe


def made(kind, classes=4, width=3, **options):
    torch.manual_seed(5)
    loss = kind(classes, width, **options).double()
    return loss, [unit(row) for row in loss.proxies.tolist()]


def test_proxy_nca_leaves_the_own_proxy_out_of_the_sum():
    x, y = batch(rows=8)
    loss, proxies = made(ProxyNCA)
    losses = []
    for row, label in zip([unit(r) for r in x.tolist()], y.tolist(), strict=True):
        d = [far(row, p) ** 2 for p in proxies]
        losses.append(d[label] + log_sum([-v for k, v in enumerate(d) if k != label]))
    assert loss(x, y).item() == pytest.approx(mean(losses), rel=1e-12)
    at_home = loss(loss.proxies.detach(), torch.arange(4)).item()
    assert at_home < min(mean(losses), log_sum([0.0] * 3))


def test_proxy_nca_of_two_equally_far_proxies_is_zero():
    loss, _ = made(ProxyNCA, classes=2, width=2)
    loss.proxies.data = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.double)
    x = torch.tensor([[3.0, 3.0]], dtype=torch.double)
    assert loss(x, torch.tensor([0])).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("temperature", [1 / 9, 1.0])
def test_proxy_nca_pp_is_a_softmax_of_all_distances(temperature):
    x, y = batch(rows=8)
    loss, proxies = made(ProxyNCAPlusPlus, temperature=temperature)
    losses = []
    for row, label in zip([unit(r) for r in x.tolist()], y.tolist(), strict=True):
        scores = [-(far(row, p) ** 2) / temperature for p in proxies]
        losses.append(log_sum(scores) - scores[label])
    assert loss(x, y).item() == pytest.approx(mean(losses), rel=1e-11)


@pytest.mark.parametrize("options", [{}, {"alpha": 4.0, "delta": 0.3}])
def test_proxy_anchor_sums_over_the_rows_of_each_proxy(options):
    x, y = batch(rows=8)  # of classes 0, 1, 2: the proxy of class 3 has no rows
    loss, proxies = made(ProxyAnchor, **options)
    alpha, delta = options.get("alpha", 32.0), options.get("delta", 0.1)
    rows, pull, push = [unit(r) for r in x.tolist()], [], []
    for k, proxy in enumerate(proxies):
        own = [dot(r, proxy) for r, label in zip(rows, y.tolist(), strict=True) if label == k]
        others = [dot(r, proxy) for r, label in zip(rows, y.tolist(), strict=True) if label != k]
        if own:
            pull.append(log_sum([0.0, *(-alpha * (s - delta) for s in own)]))
        push.append(log_sum([0.0, *(alpha * (s + delta) for s in others)]))
    assert (len(pull), len(push)) == (3, 4)
    assert loss(x, y).item() == pytest.approx(mean(pull) + mean(push), rel=1e-11)


@pytest.mark.parametrize("name", ["proxy_nca", "proxy_nca_pp", "proxy_anchor"])
def test_proxies_are_made_for_the_data_and_trained_with_the_network(name):
    spec = Spec("table", (5,), "classification", 3)
    learner = build(Recipe(method="mlp", data="digits", loss=name), spec)
    assert isinstance(learner, Embedding) and learner.criterion.proxies.shape == (3, 64)
    assert any(p is learner.criterion.proxies for p in learner.owned("all"))
    learner.loss("all", (torch.randn(6, 5), torch.arange(6) % 3)).backward()
    assert learner.criterion.proxies.grad.abs().sum() > 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="width=5"):
        ProxyNCA(3, 4)(torch.zeros(2, 5), torch.tensor([0, 1]))
    for wrong in ({"num_classes": 1}, {"num_classes": 3, "width": 0}):
        with pytest.raises(UsageError, match="two classes"):
            ProxyNCA(**wrong)
    with pytest.raises(UsageError, match="0"):
        ProxyNCAPlusPlus(3, temperature=0.0)

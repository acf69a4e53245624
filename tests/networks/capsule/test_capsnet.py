import math

import pytest
import torch
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.capsule import CapsuleNetwork
from torchatlas.networks.capsule.capsnet import route, squash

SETTING = {"num_classes": 3, "in_channels": 2, "channels": 6, "types": 2, "size": 3, "width": 4}


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.double, generator=torch.Generator().manual_seed(seed))


def squashed(s):
    square = sum(v * v for v in s)
    return [square / (1 + square) * v / math.sqrt(square) for v in s] if square else [0.0 for _ in s]


def routed(votes, rounds):
    """The paper's procedure 1 for one sample, in plain Python: votes[i][j] is a vector."""
    below, above = range(len(votes)), range(len(votes[0]))
    b = [[0.0 for _ in above] for _ in below]
    for _ in range(rounds):
        v = []
        for j in above:
            s = [0.0] * len(votes[0][0])
            for i in below:
                share = math.exp(b[i][j]) / sum(math.exp(b[i][k]) for k in above)
                s = [left + share * right for left, right in zip(s, votes[i][j], strict=True)]
            v.append(squashed(s))
        for i in below:
            for j in above:
                b[i][j] += sum(left * right for left, right in zip(votes[i][j], v[j], strict=True))
    return v


@pytest.mark.parametrize("rounds", [1, 2, 3, 5])
def test_routing_is_the_paper_s_procedure(rounds):
    votes = numbers(2, 5, 3, 4)
    expected = torch.tensor([routed(sample.tolist(), rounds) for sample in votes], dtype=torch.double)
    torch.testing.assert_close(route(votes, rounds), expected, rtol=1e-12, atol=1e-12)


def test_one_round_is_the_mean_of_all_votes():
    votes = numbers(2, 5, 3, 4)
    torch.testing.assert_close(route(votes, 1), squash(votes.sum(1) / 3))


def test_detached_agreements_pass_no_gradient():
    votes = numbers(2, 5, 3, 4).requires_grad_()
    torch.testing.assert_close(route(votes, 3, detached=True), route(votes, 3))
    apart, whole = (torch.autograd.grad(route(votes, 3, d).square().sum(), votes)[0] for d in (True, False))
    logits = torch.zeros(2, 5, 3, dtype=torch.double)
    for _ in range(2):
        v = squash((logits.softmax(2)[..., None] * votes.detach()).sum(1))
        logits = logits + (votes.detach() * v[:, None]).sum(-1)
    last = squash((logits.softmax(2)[..., None] * votes).sum(1)).square().sum()
    torch.testing.assert_close(apart, torch.autograd.grad(last, votes)[0])
    assert not torch.allclose(apart, whole)


def test_squashing_keeps_the_direction_and_is_safe_at_zero():
    s = numbers(7, 4)
    expected = torch.tensor([squashed(row) for row in s.tolist()], dtype=torch.double)
    torch.testing.assert_close(squash(s), expected)
    assert (squash(1e4 * s).norm(dim=1) < 1).all()
    zero = torch.zeros(2, 4, requires_grad=True)
    squash(zero).sum().backward()
    assert not zero.grad.any() and not squash(zero).any()
    assert torch.autograd.gradcheck(squash, numbers(3, 4).requires_grad_())


@pytest.mark.parametrize(("size", "kernel"), [((22, 21), 9), ((9, 12), 3)])
def test_it_is_the_paper_s_network(size, kernel):
    net = CapsuleNetwork(input_size=size, **SETTING).double()
    x = numbers(2, 2, *size, seed=1)
    (w1, b1, w2, b2, w) = net.state_dict().values()
    assert w1.shape[-1] == w2.shape[-1] == kernel
    maps = F.conv2d(F.conv2d(x, w1, b1).relu(), w2, b2, stride=2)
    scores = []
    for each in maps:  # capsule (t, y, x) has the channels 3t, 3t + 1 and 3t + 2
        u = [
            squashed(each[3 * t : 3 * t + 3, y, z].tolist())
            for t in range(2)
            for y in range(each.shape[1])
            for z in range(each.shape[2])
        ]
        votes = [
            [[sum(u[i][k] * float(w[i, k, 4 * j + d]) for k in range(3)) for d in range(4)] for j in range(3)]
            for i in range(len(u))
        ]
        scores.append([math.sqrt(sum(v * v for v in vector)) for vector in routed(votes, 3)])
    torch.testing.assert_close(net(x), torch.tensor(scores, dtype=torch.double))
    torch.testing.assert_close(net.capsules(x).norm(dim=2), net(x))


def test_it_has_the_paper_s_size():
    with torch.device("meta"):
        net = create("capsule_network")
        assert net.primary(net.stem(torch.empty(2, 1, 28, 28))).shape == (2, 1152, 8)
        assert net.capsules(torch.empty(2, 1, 28, 28)).shape == (2, 10, 16)
    assert sum(p.numel() for p in net.parameters()) == 6_804_224


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"input_size": (4, 9)}, "3×3 convolutions leave nothing of images of 4×9"),
        ({"input_size": (28, 28), "kernel": 15}, "29 pixels"),
        ({"routings": 0}, "at least one"),
    ],
)
def test_what_does_not_fit_is_refused(words, said):
    with pytest.raises(UsageError, match=said):
        CapsuleNetwork(**words)

"""Magnitude pruning against a count by hand and PyTorch's own; masks that go, and what must not be pruned."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from torchatlas.engine.errors import UsageError
from torchatlas.inspection.compression import density, make_permanent, pruning_magnitude


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.Flatten(), nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 3))


def weights(model):
    return [model[i].weight.detach() for i in (0, 2, 4)]


def test_the_smallest_go_and_of_equal_ones_the_first():
    layer = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -0.1, 2.0, 0.5], [-0.5, 0.3, -3.0, 0.5]]))
    for share, want in (
        (0.25, [[0.5, 0, 2, 0.5], [-0.5, 0, -3, 0.5]]),
        (0.5, [[0, 0, 2, 0], [-0.5, 0, -3, 0.5]]),
        (0.75, [[0, 0, 2, 0], [0, 0, -3, 0]]),
    ):
        assert torch.equal(pruning_magnitude(layer, share).weight, torch.tensor(want))


@pytest.mark.parametrize("share", [0.3, 0.8, 0.95])
def test_a_layer_is_pruned_as_pytorch_does(share):
    theirs = net()
    for i in (0, 2, 4):
        prune.l1_unstructured(theirs[i], "weight", amount=share)
    assert all(map(torch.equal, weights(pruning_magnitude(net(), share)), weights(theirs)))


@pytest.mark.parametrize("share", [0.3, 0.8, 0.95])
def test_all_layers_together_are_pruned_as_pytorch_does(share):
    theirs = net()
    places = [(theirs[i], "weight") for i in (0, 2, 4)]
    prune.global_unstructured(places, pruning_method=prune.L1Unstructured, amount=share)
    ours = weights(pruning_magnitude(net(), share, scope="global"))
    assert all(map(torch.equal, ours, weights(theirs)))


def test_masks_that_are_taken_off_leave_a_plain_model_with_zeros():
    plain, pruned = net(), pruning_magnitude(net(), 0.6)
    x, before = torch.randn(5, 2, 5), weights(pruned)
    answers = pruned(x)
    assert make_permanent(pruned) is pruned
    assert list(pruned.state_dict()) == list(plain.state_dict())
    assert torch.equal(pruned(x), answers) and all(map(torch.equal, weights(pruned), before))
    assert all(isinstance(p, nn.Parameter) and p.is_leaf for p in pruned.parameters())
    kept, whole = density(pruned)
    assert whole == 24 + 108 + 27 and kept == whole - round(14.4) - round(64.8) - round(16.2)
    plain.load_state_dict(pruned.state_dict())


def test_pruning_again_takes_more_and_the_old_zeros_first():
    first = pruning_magnitude(net(), 0.5)
    again = pruning_magnitude(first, 0.8)
    assert all(bool((b[a == 0] == 0).all()) for a, b in zip(weights(first), weights(again), strict=True))
    assert all(map(torch.equal, weights(again), weights(pruning_magnitude(net(), 0.8))))
    assert density(first)[0] > density(again)[0]


def test_a_weight_that_two_layers_share_is_one():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.head = nn.Embedding(7, 4), nn.Linear(4, 7)
            self.head.weight = self.words.weight

        def forward(self, x):
            return self.head(self.words(x))

    pruned = pruning_magnitude(Tied(), 0.5)
    assert torch.equal(pruned.words.weight, pruned.head.weight)
    assert density(make_permanent(pruned)) == (14, 28)
    assert pruned.words.weight is pruned.head.weight


@pytest.mark.parametrize(
    ("model", "words", "told"),
    [
        (nn.Linear(2, 2), {"sparsity": 1.0}, "below 1"),
        (nn.Linear(2, 2), {"sparsity": -0.1}, "at least 0"),
        (nn.Linear(2, 2), {"scope": "row"}, "layer or global"),
        (nn.LayerNorm(2), {}, "no linear or convolution layer"),
    ],
)
def test_wrong_words_are_refused(model, words, told):
    with pytest.raises(UsageError, match=told):
        pruning_magnitude(model, **words)

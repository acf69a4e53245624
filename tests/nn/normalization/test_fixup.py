from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(2, 3, 4, 5, dtype=torch.double, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("layers", "exponent"), [(2, -1 / 2), (3, -1 / 4), (5, -1 / 8)])
def test_weights_begin_smaller_in_deeper_networks(layers, exponent):
    block = create("fixup", channels=64, blocks=50, layers=layers)
    *others, last = block.convs
    assert not last.weight.any()
    for conv in others:
        assert conv.weight.std().item() == pytest.approx(sqrt(2 / (64 * 9)) * 50**exponent, rel=0.02)


def test_at_first_it_is_its_activation():
    assert torch.equal(create("fixup", channels=3, blocks=4).double()(X), X.clamp(min=0))
    assert torch.equal(create("fixup", channels=3, blocks=4, activation="tanh").double()(X), X.tanh())


def test_biases_and_the_factor_stand_where_the_paper_has_them():
    block = create("fixup", channels=3, blocks=4).double()
    with torch.no_grad():
        block.before.copy_(torch.tensor([0.3, -0.2])), block.after.copy_(torch.tensor([-0.1, 0.4]))
        block.factor.fill_(1.7)
        for conv in block.convs:  # the middle of each kernel alone, one channel each
            conv.weight.zero_()
            for c, v in enumerate((0.5, -1.5, 2.0)):
                conv.weight[c, c, 1, 1] = v
    y = block(X)
    for c, v in enumerate((0.5, -1.5, 2.0)):
        for x, got in zip(X[:, c].flatten().tolist(), y[:, c].flatten().tolist(), strict=True):
            hidden = max(v * (x + 0.3) - 0.1, 0.0)
            expected = max(x + 1.7 * v * (hidden - 0.2) + 0.4, 0.0)
            assert got == pytest.approx(expected, abs=1e-6)  # 0.3 and others were rounded to single precision


def test_each_part_learns_after_the_last_layer_has_moved():
    block = create("fixup", channels=3, blocks=4).double()
    torch.nn.init.normal_(block.convs[-1].weight)
    (block(X) * torch.arange(5.0)).sum().backward()
    assert all(p.grad.any() for p in block.parameters())


def test_what_cannot_be_is_told():
    with pytest.raises(UsageError, match="2 or more"):
        create("fixup", channels=3, blocks=4, layers=1)
    with pytest.raises(UsageError, match="at least 1"):
        create("fixup", channels=3, blocks=0)

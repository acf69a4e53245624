from math import ceil

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


def drawn(seed: int = 0, shape: tuple[int, int] = (50, 2000), **options: float) -> torch.Tensor:
    weight = torch.full(shape, torch.nan)
    return create("init_sparse", **options)(weight, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.301, 0.9, 0.98, 1.0])
def test_each_column_has_so_many_zeros(sparsity):
    zeros = (drawn(sparsity=sparsity) == 0).sum(0)
    assert set(zeros.tolist()) == {ceil(sparsity * 50)}


def test_the_others_are_normal_and_their_places_even():
    weight = drawn(sparsity=0.6, std=0.5)
    kept = weight[weight != 0]
    assert kept.mean().item() == pytest.approx(0, abs=5 * 0.5 / len(kept) ** 0.5)
    assert kept.std().item() == pytest.approx(0.5, rel=0.02)
    assert drawn(sparsity=0.6).std().item() == pytest.approx(0.01 * 0.4**0.5, rel=0.02)
    shares = (weight == 0).float().mean(1)  # of each row
    assert (shares - 0.6).abs().max() < 5 * (0.24 / 2000) ** 0.5


def test_the_generator_decides_alone():
    torch.manual_seed(1)
    first, state = drawn(3, (20, 30)), torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, drawn(3, (20, 30))) and not torch.equal(first, drawn(4, (20, 30)))


@pytest.mark.parametrize(("shape", "sparsity"), [((3, 4, 5), 0.5), ((3, 4), 1.5), ((3, 4), -0.1)])
def test_what_does_not_fit_is_told(shape, sparsity):
    with pytest.raises(UsageError, match="sparsity"):
        create("init_sparse", sparsity=sparsity)(torch.zeros(shape))

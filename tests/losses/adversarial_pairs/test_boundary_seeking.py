import math

import pytest
import torch

from torchatlas.losses.adversarial_pairs import BoundarySeeking, Minimax


def test_the_generator_aims_at_indecision():
    logits = torch.tensor([0.5, -2.0], dtype=torch.double)
    d = [1 / (1 + math.exp(-v)) for v in logits.tolist()]
    expected = sum((math.log(p) - math.log(1 - p)) ** 2 for p in d) / 4
    assert BoundarySeeking().generator(logits).item() == pytest.approx(expected, rel=1e-12)
    assert BoundarySeeking().generator(torch.tensor([0.5])).item() == 0.125
    assert BoundarySeeking().generator(torch.zeros(4)).item() == 0


def test_the_critic_is_that_of_the_minimax_game():
    real, fake = torch.randn(2, 7, 1)
    assert torch.equal(BoundarySeeking().critic(real, fake), Minimax().critic(real, fake))

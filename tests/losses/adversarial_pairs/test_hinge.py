import pytest
import torch

from torchatlas.losses.adversarial_pairs import Hinge


def test_values_are_those_of_the_formulas():
    real, fake = torch.tensor([1.0]), torch.tensor([-0.5])
    assert Hinge().critic(real, fake).item() == pytest.approx(0.5)
    assert Hinge().generator(fake).item() == pytest.approx(0.5)
    real, fake = torch.tensor([0.0, 3.0]), torch.tensor([0.5, -4.0])
    assert Hinge().critic(real, fake).item() == pytest.approx(1 / 2 + 1.5 / 2)


def test_samples_beyond_their_margins_teach_nothing():
    real, fake = torch.tensor([1.5, 0.0], requires_grad=True), torch.tensor([-1.5, 0.0], requires_grad=True)
    Hinge().critic(real, fake).backward()
    assert real.grad.tolist() == [0, -0.5] and fake.grad.tolist() == [0, 0.5]

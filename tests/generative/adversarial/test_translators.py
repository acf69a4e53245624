import pytest
import torch
from torch import nn

from torchatlas.generative.adversarial.translators import ConvTranslator, PatchCritic, judge, translator


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_the_paper_s_networks_have_the_paper_s_sizes():
    with torch.device("meta"):
        assert count(ConvTranslator(3)) == 11_378_179
        assert count(ConvTranslator(3, blocks=6)) == 7_837_699
        critic = PatchCritic(3)
        assert count(critic) == 2_764_737
        assert critic(torch.empty(1, 3, 256, 256)).shape == (1, 1, 30, 30)


def test_a_patch_is_seventy_pixels_wide():
    critic = PatchCritic(1, width=2)
    for k, layer in enumerate(critic.body):
        if isinstance(layer, nn.InstanceNorm2d):  # it couples all pixels
            critic.body[k] = nn.Identity()
    for parameter in critic.parameters():
        nn.init.uniform_(parameter, 0.1, 1.0)
    x = torch.randn(1, 1, 128, 128, requires_grad=True)
    logits = critic(x)
    logits[0, 0, 7, 7].backward()
    reached = x.grad[0, 0].nonzero()
    assert (reached.max(0).values - reached.min(0).values + 1).tolist() == [70, 70]


@pytest.mark.parametrize("shape", [(5,), (1, 8, 8), (1, 9, 7), (3, 28, 28), (3, 65, 70)])
def test_any_shape_keeps_its_size(shape):
    x = torch.rand(2, *shape)
    new = translator(shape, width=4, blocks=1)(x)
    assert new.shape == x.shape
    assert len(shape) == 1 or new.abs().max() <= 1
    assert len(judge(shape, width=4)(x)) == 2

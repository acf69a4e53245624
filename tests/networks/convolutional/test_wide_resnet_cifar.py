import pytest
import torch
from torch import nn
from torch.nn import functional as F

from torchatlas.cards.reader import create
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import CifarWideResNet
from torchatlas.networks.convolutional.wide_resnet_cifar import WideBlock


def shaken(net: nn.Module, seed: int = 0) -> nn.Module:
    """In double precision, with statistics and weights of batch norm as after training."""
    numbers = torch.Generator().manual_seed(seed)
    for name, value in net.double().state_dict().items():
        if value.is_floating_point() and value.ndim == 1:
            value.copy_(torch.rand(value.shape, generator=numbers) + (0.5 if "var" in name else -0.3))
    return net.eval()


def plain(net: CifarWideResNet, x: torch.Tensor, blocks: int) -> torch.Tensor:
    """Table 1 of the paper with pre-activated blocks, from the weights alone, in evaluation mode."""
    state = {name: value for name, value in net.state_dict().items()}

    def active(x, name):
        gain, shift, mean, variance = (
            state[f"{name}.{word}"][:, None, None]
            for word in ("weight", "bias", "running_mean", "running_var")
        )
        return (gain * (x - mean) / (variance + 1e-5).sqrt() + shift).clamp(min=0)

    x = F.conv2d(x, state["stem.weight"], padding=1)
    for stage in range(3):
        for number in range(blocks):
            at, stride = f"stages.{stage}.{number}", 2 if stage and number == 0 else 1
            y = active(x, f"{at}.first.0")
            if f"{at}.shortcut.weight" in state:
                x = torch.einsum("oi,bihw->bohw", state[f"{at}.shortcut.weight"][..., 0, 0], y)
                x = x[..., ::stride, ::stride]
            y = F.conv2d(y, state[f"{at}.body.0.weight"], stride=stride, padding=1)
            x = x + F.conv2d(active(y, f"{at}.body.1"), state[f"{at}.body.4.weight"], padding=1)
    return active(x, "neck.0").mean((2, 3)) @ state["head.weight"].T + state["head.bias"]


@pytest.mark.parametrize(("size", "widen"), [((12, 12), 2), ((15, 22), 1)])
def test_it_is_the_paper_s_network(size, widen):
    net = shaken(CifarWideResNet(3, 2, size, 16, widen, dropout=0.3))
    x = torch.randn(2, 2, *size, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(x), plain(net, x, 2), rtol=1e-9, atol=1e-9)


# Published in millions of parameters
@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("wrn28_10_cifar", 36.5),
        ("wrn16_4_cifar", 2.7),
        ("wrn16_8_cifar", 11.0),
        ("wrn40_2_cifar", 2.2),
        ("wrn40_4_cifar", 8.9),
        ("wrn40_8_cifar", 35.7),
    ],
)
def test_sizes_are_the_published_ones(name, millions):
    with torch.device("meta"):
        net = create(name)
        maps = net.feature_maps(torch.empty(1, 3, 32, 32))
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == millions
    assert [each.shape[-1] for each in maps] == [32, 16, 8]
    convolutions = sum(isinstance(m, nn.Conv2d) for m in net.modules())
    assert name.startswith(f"wrn{convolutions}_") and name.endswith("_cifar")  # shortcuts count, the head not


def test_a_block_that_learned_nothing_passes_its_input_on():
    block = WideBlock(4, 4, 1)
    nn.init.zeros_(block.body[4].weight)
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(block(x), x)


def test_dropout_stands_between_the_convolutions_after_the_activation():
    torch.manual_seed(0)
    block, x = WideBlock(4, 4, 1, dropout=1.0), torch.randn(2, 4, 6, 6)
    assert torch.equal(block(x), x)  # all that the second convolution reads is dropped
    block = CifarWideResNet(depth=10, widen=1, dropout=0.3).stages[0][0]
    kinds = [type(layer) for layer in block.body[:5]]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.Conv2d]
    assert block.body[3].p == 0.3


@pytest.mark.parametrize("words", [{"depth": 26}, {"depth": 4}])
def test_what_does_not_fit_is_refused(words):
    with pytest.raises(UsageError, match="6n"):
        CifarWideResNet(**words)

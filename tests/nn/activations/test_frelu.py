from math import sqrt

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError


@pytest.mark.parametrize("size", [1, 3, 5])
def test_it_is_the_larger_of_a_number_and_its_neighbourhood(size):
    act = create("frelu", channels=2, kernel_size=size).double()
    with torch.no_grad():
        act.norm.weight.normal_()
        act.norm.bias.normal_()
    x = torch.randn(3, 2, 4, 5, dtype=torch.double)
    edge = size // 2
    padded = torch.zeros(3, 2, 4 + 2 * edge, 5 + 2 * edge, dtype=torch.double)
    padded[:, :, edge : edge + 4, edge : edge + 5] = x
    around = torch.zeros_like(x)
    for c in range(2):
        kernel = act.window.weight[c, 0].tolist()
        for n in range(3):
            for i in range(4):
                for j in range(5):
                    around[n, c, i, j] = sum(
                        kernel[u][v] * padded[n, c, i + u, j + v].item()
                        for u in range(size)
                        for v in range(size)
                    )
        flat = around[:, c].flatten().tolist()
        mean = sum(flat) / len(flat)
        spread = sqrt(sum((v - mean) ** 2 for v in flat) / len(flat) + 1e-5)
        around[:, c] = (around[:, c] - mean) / spread * act.norm.weight[c].item() + act.norm.bias[c].item()
    assert torch.allclose(act(x), torch.maximum(x, around), atol=1e-10)


def test_without_a_window_it_is_relu():
    act, x = create("frelu", channels=3), torch.randn(2, 3, 4, 4)
    torch.nn.init.zeros_(act.window.weight)
    assert torch.equal(act(x), x.relu())


def test_it_adds_eleven_numbers_per_channel_and_wants_a_middle():
    assert sum(p.numel() for p in create("frelu", channels=7).parameters()) == 77
    with pytest.raises(UsageError, match="kernel_size=4 must be odd"):
        create("frelu", channels=7, kernel_size=4)
    with pytest.raises(
        UsageError, match=r"in maps \(batch, 7, height, width\); its input is of shape \(2, 7\)"
    ):
        create("frelu", channels=7)(torch.zeros(2, 7))

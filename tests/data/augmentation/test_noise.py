import torch

from torchatlas.data.augmentation import GaussianNoise


def test_noise_has_the_stated_spread_and_comes_from_the_default_generator():
    x = torch.randn(200, 300, dtype=torch.double)
    torch.manual_seed(1)
    noise = GaussianNoise(0.3)(x) - x
    torch.manual_seed(1)
    torch.testing.assert_close(noise, 0.3 * torch.randn(200, 300, dtype=torch.double))
    assert torch.equal(GaussianNoise(0.0)(x), x)

import torch

from torchatlas.nn.convolutions.reparameterized import placed
from windows import drawn, equal


def test_taps_stand_in_their_places():
    a, b = drawn(2, 3), drawn(2, 3, seed=1)
    kernel = placed({5: a, 0: b}, (2, 3))
    assert kernel.shape == (2, 3, 2, 3)
    equal(kernel[:, :, 1, 2], a)
    equal(kernel[:, :, 0, 0], b)
    assert float(kernel.abs().sum()) == float(a.abs().sum() + b.abs().sum())
    assert not torch.equal(a, b)

import torch

from torchatlas import create


def test_glu_gates_the_first_half_with_the_second():
    x = torch.randn(5, 6, dtype=torch.double)
    expected = x[:, :3] / (1 + torch.exp(-x[:, 3:]))
    assert torch.allclose(create("glu")(x), expected, atol=1e-12)

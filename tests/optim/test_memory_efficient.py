import pytest
import torch

from torchatlas import create


def test_three_steps_on_a_parabola():
    weights = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.double))
    optimizer = create("adafactor", [weights], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (torch.tensor([1.0, 2.0, 4.0], dtype=torch.double) * weights**2 / 2).sum().backward()
        optimizer.step()
    assert weights.tolist() == pytest.approx([0.469598, 1.435554, 2.425794], abs=1e-6)


def test_a_matrix_costs_a_row_and_a_column():
    weights = torch.nn.Parameter(torch.ones(30, 20))
    optimizer = create("adafactor", [weights])
    weights.grad = torch.randn(30, 20)
    optimizer.step()
    kept = sum(v.numel() for v in optimizer.state[weights].values() if torch.is_tensor(v) and v.dim())
    assert kept == 30 + 20


def test_the_first_step_on_a_gradient_of_rank_one_is_its_sign():
    weights = torch.nn.Parameter(torch.full((3, 2), 5.0, dtype=torch.double))
    optimizer = create("adafactor", [weights])
    weights.grad = torch.tensor([[1.0], [-2.0], [3.0]], dtype=torch.double) * torch.tensor([0.5, -4.0])
    optimizer.step()
    assert torch.allclose(weights.detach(), 5 - 5 * 0.01 * weights.grad.sign(), atol=1e-6)

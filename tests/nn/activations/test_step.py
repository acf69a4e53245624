import pytest
import torch

from torchatlas import create, find


def test_it_is_one_from_zero_on():
    x = torch.tensor([-1.0, -1e-30, -0.0, 0.0, 1e-30, 2.0], dtype=torch.double)
    assert create("step")(x).tolist() == [0, 0, 1, 1, 1, 1]
    assert find("heaviside").name == "step"


@pytest.mark.parametrize("x", [-3.0, -0.1, 0.1, 3.0])
def test_it_is_the_limit_of_steep_sigmoids(x):
    steep = torch.sigmoid(torch.tensor(1e6 * x, dtype=torch.double))
    assert create("step")(torch.tensor(x, dtype=torch.double)) == steep.round()


@pytest.mark.parametrize(("straight_through", "slope"), [(False, 0.0), (True, 5.0)])
def test_its_gradient_is_nothing_or_handed_on(straight_through, slope):
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    (5 * create("step", straight_through=straight_through)(x)).sum().backward()
    assert x.grad.tolist() == [slope] * 3

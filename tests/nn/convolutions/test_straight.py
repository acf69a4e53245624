import torch

from torchatlas.nn.convolutions.straight import straight_through
from windows import drawn


def test_one_s_value_with_the_other_s_gradient():
    x = drawn(5).requires_grad_()
    y = straight_through(x.sign(), x.square())
    assert torch.equal(y, x.sign())
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert torch.equal(first, 2 * x) and torch.equal(second, torch.full_like(x, 2))


def test_infinite_surrogates_do_not_reach_the_value():
    like = torch.full((3,), torch.inf, requires_grad=True)
    assert torch.equal(straight_through(torch.ones(3), like), torch.ones(3))

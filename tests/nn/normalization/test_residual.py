import pytest
import torch
from torch import nn

from torchatlas import create
from torchatlas.engine.errors import UsageError

X = torch.randn(2, 3, dtype=torch.double, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ["rezero", "skipinit"])
def test_it_begins_as_the_identity_and_so_does_its_jacobian(name):
    layer = create(name, branch=nn.Linear(3, 3)).double()
    assert torch.equal(layer(X), X)
    jacobian = torch.autograd.functional.jacobian(layer, X[:1]).squeeze()
    assert torch.equal(jacobian, torch.eye(3, dtype=torch.double))
    layer(X).sum().backward()
    assert layer.alpha.grad.item() == pytest.approx(layer.branch(X).sum().item())


@pytest.mark.parametrize("name", ["rezero", "skipinit"])
def test_the_branch_is_added_so_many_times(name):
    layer = create(name, branch=nn.Linear(3, 3)).double()
    with torch.no_grad():
        layer.alpha.fill_(-0.75)
    weight, bias = layer.branch.weight.tolist(), layer.branch.bias.tolist()
    for x, got in zip(X.tolist(), layer(X).tolist(), strict=True):
        branch = [
            sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(weight, bias, strict=True)
        ]
        assert got == pytest.approx([v - 0.75 * f for v, f in zip(x, branch, strict=True)])


def test_skipinit_may_begin_with_the_root_of_the_depth():
    assert create("skipinit", branch="tanh", blocks=16).alpha.item() == pytest.approx(0.25)
    assert create("rezero", branch="tanh", alpha=0.3).alpha.item() == pytest.approx(0.3)
    with pytest.raises(UsageError, match="blocks"):
        create("skipinit", branch="tanh", blocks=0)


def test_branches_are_names_modules_or_makers():
    module = nn.Tanh()
    assert create("rezero", branch=module).branch is module
    assert isinstance(create("rezero", branch="tanh").branch, nn.Tanh)
    assert isinstance(create("rezero", branch=nn.ReLU).branch, nn.ReLU)
    with pytest.raises(UsageError, match="not an nn"):
        create("rezero", branch=dict)

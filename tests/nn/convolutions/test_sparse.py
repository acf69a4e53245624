import numpy as np
import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from windows import conv, drawn, equal, numbers

ACTIVE = torch.zeros(2, 1, 7, 6, dtype=torch.bool)
for place in ((0, 1, 1), (0, 1, 2), (0, 2, 1), (0, 5, 4), (1, 6, 0), (1, 0, 5), (1, 3, 3)):
    ACTIVE[place[0], 0, place[1], place[2]] = True
X = drawn(2, 3, 7, 6) * ACTIVE


def reached(active: torch.Tensor, side: int, stride: int, padding: int, dilation: int) -> torch.Tensor:
    """Where a window holds an active site, site by site."""
    a = np.pad(numbers(active), ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    span = dilation * (side - 1) + 1
    down, across = ((n - span) // stride + 1 for n in a.shape[2:])
    made = torch.zeros(len(a), 1, down, across, dtype=torch.bool)
    for n, i, j in np.ndindex(len(a), down, across):
        window = a[n, 0, i * stride : i * stride + span : dilation, j * stride : j * stride + span : dilation]
        made[n, 0, i, j] = bool(window.any())
    return made


@pytest.mark.parametrize("name", ["sparse_conv"])
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 1, 1), (2, 0, 1), (2, 2, 2)])
def test_outputs_are_where_a_window_sees_something(name, stride, padding, dilation):
    layer = create(name, 3, 4, kernel_size=3, stride=stride, padding=padding, dilation=dilation).double()
    sites = reached(ACTIVE, 3, stride, padding, dilation)
    dense = torch.as_tensor(conv(X, layer.conv.weight, layer.conv.bias, stride, padding, dilation))
    equal(layer(X), dense * sites)
    assert torch.equal(layer.sites(ACTIVE), sites) and 0 < int(sites.sum()) < sites.numel()


@pytest.mark.parametrize("name", ["submanifold_conv"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_sites_stay_where_they_are(name, dilation):
    layer = create(name, 3, 4, kernel_size=(3, 5), dilation=dilation).double()
    dense = torch.as_tensor(
        conv(X, layer.conv.weight, layer.conv.bias, 1, (dilation, 2 * dilation), dilation)
    )
    equal(layer(X), dense * ACTIVE)
    assert torch.equal(layer.sites(ACTIVE), ACTIVE)
    places = ACTIVE[:, 0].nonzero()[torch.tensor([3, 0, 6, 5, 1, 2, 4])]  # in any order
    sample, row, column = places.unbind(1)
    features = X[sample, :, row, column]
    equal(layer.at(features, places, (2, 7, 6)), layer(X)[sample, :, row, column])


@pytest.mark.parametrize("name", ["sparse_conv", "submanifold_conv"])
def test_sites_that_are_told_count_and_what_stands_elsewhere_does_not(name):
    layer = create(name, 3, 4, kernel_size=3).double()
    noisy = torch.where(ACTIVE, X, drawn(*X.shape, seed=3))
    equal(layer(noisy, ACTIVE), layer(X))
    told = ACTIVE.clone()
    told[0, 0, 3, 3] = True  # a site of zeros is a site: it has the bias
    y = layer(X, told)
    middle = y[0, :, 3, 3] if name == "submanifold_conv" else y[0, :, 2, 2]
    assert bool((middle != 0).all())


@pytest.mark.parametrize("name", ["submanifold_conv"])
def test_features_have_gradients_and_no_sites_are_no_trouble(name):
    layer = create(name, 3, 4).double()
    places, features = torch.tensor([[0, 1, 1], [0, 1, 2], [0, 4, 0]]), drawn(3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda f: layer.at(f, places, (1, 5, 3)), (features,))
    assert layer.at(features[:0], places[:0], (1, 5, 3)).shape == (0, 4)
    assert not layer(torch.zeros(1, 3, 5, 5, dtype=torch.double)).any()
    with pytest.raises(UsageError, match="middle"):
        create(name, 3, 4, kernel_size=2)

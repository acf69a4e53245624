"""CAM, Grad-CAM and Grad-CAM++ against their formulas in plain float64 NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

import torchatlas
from torchatlas.engine.errors import UsageError
from torchatlas.inspection.explanations import cam, gradcam, gradcam_pp

DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(4, 2, 6, 5)), [2, 0, 1, 2]
FILTERS, BIASES, HEAD = DRAW.normal(size=(7, 2, 3, 3)), DRAW.normal(size=7), DRAW.normal(size=(3, 7))
PLACES = DRAW.normal(size=(3, 210)) / 10


def maps_by_hand(x, stride=1):
    """3×3 convolution with a border of zeros, and ReLU."""
    b, _, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows, columns = range(0, h, stride), range(0, w, stride)
    made = np.zeros((b, len(FILTERS), len(rows), len(columns)))
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            patch = padded[:, :, r : r + 3, c : c + 3]
            made[:, :, i, j] = np.einsum("bcuv,kcuv->bk", patch, FILTERS) + BIASES
    return np.maximum(made, 0)


def enlarged_by_hand(maps, height, width):
    """Bilinear, pixels' centres at halves, edges repeated."""

    def weights(into, out):
        made = np.zeros((out, into))
        for place in range(out):
            at = min(max((place + 0.5) * into / out - 0.5, 0), into - 1)
            low = min(int(at), max(into - 2, 0))
            made[place, low] += 1 - (at - low)
            if into > 1:
                made[place, low + 1] += at - low
        return made

    return np.einsum("hi,bij,wj->bhw", weights(maps.shape[1], height), maps, weights(maps.shape[2], width))


def network(stride=1, pooled=True):
    """The convolution above; then a mean and a linear layer, or all places at once through a tanh."""
    first = nn.Conv2d(2, 7, 3, stride, padding=1)
    last = nn.Linear(7, 3, bias=False)
    places = nn.Linear(7 * 30, 3)
    after = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), last) if pooled else (nn.Flatten(), places, nn.Tanh())
    net = nn.Sequential(first, nn.ReLU(inplace=True), *after).double()
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(FILTERS))
        first.bias.copy_(torch.from_numpy(BIASES))
        last.weight.copy_(torch.from_numpy(HEAD))
        places.weight.copy_(torch.from_numpy(PLACES))
    return net


@pytest.mark.parametrize("stride", [1, 2])
def test_where_a_mean_follows_both_are_the_last_layers_rows(stride):
    maps = maps_by_hand(X, stride)
    by_hand = np.einsum("bk,bkhw->bhw", HEAD[Y], maps)
    pixels = maps.shape[2] * maps.shape[3]
    net, x, y = network(stride), torch.from_numpy(X), torch.tensor(Y)
    np.testing.assert_allclose(cam(net, x, y).numpy(), enlarged_by_hand(by_hand, 6, 5), atol=1e-12)
    weighed = enlarged_by_hand(np.maximum(by_hand, 0) / pixels, 6, 5)
    np.testing.assert_allclose(gradcam(net, x, y).numpy(), weighed, atol=1e-12)
    np.testing.assert_allclose(by_hand.mean((1, 2)), net(x).detach().numpy()[range(4), Y], atol=1e-12)


def slopes_by_hand(net, maps):
    """dS_y/dA by central differences, one place at a time."""
    w, bias = (p.detach().numpy() for p in net[3].parameters())

    def score(maps):
        return np.tanh(maps.reshape(len(maps), -1) @ w.T + bias)[range(len(maps)), Y]

    made = np.zeros_like(maps)
    for place in np.ndindex(maps.shape[1:]):
        step = np.zeros(maps.shape[1:])
        step[place] = 1e-5
        made[(slice(None), *place)] = (score(maps + step) - score(maps - step)) / 2e-5
    return made


def test_gradcam_weighs_by_the_mean_slope():
    net, maps = network(pooled=False), maps_by_hand(X)
    slope = slopes_by_hand(net, maps)
    want = np.maximum(np.einsum("bk,bkhw->bhw", slope.mean((2, 3)), maps), 0)
    assert (want > 0.1).any()
    np.testing.assert_allclose(gradcam(net, torch.from_numpy(X), torch.tensor(Y)).numpy(), want, atol=1e-8)


def test_gradcam_pp_weighs_each_place_by_its_share():
    net, maps = network(pooled=False), maps_by_hand(X)
    slope = slopes_by_hand(net, maps)
    want = np.zeros((4, 6, 5))
    for b, k in np.ndindex(4, 7):
        total = maps[b, k].sum()
        weight = sum(
            g**2 / (2 * g**2 + total * g**3) * max(g, 0)
            for g in slope[b, k].ravel()
            if 2 * g**2 + total * g**3
        )
        want[b] += weight * maps[b, k]
    found = gradcam_pp(net, torch.from_numpy(X), torch.tensor(Y)).numpy()
    np.testing.assert_allclose(found, np.maximum(want, 0), rtol=1e-5, atol=1e-7)


def test_gradcam_pps_shares_are_those_of_the_exponential():
    """They are e^S's second derivative over twice that and ΣA times the third, S being linear in A."""
    others, w, v = 1.3, 0.7, -0.2
    place = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    derived = [(w * place + v * others).exp()]
    for _ in range(3):
        derived += torch.autograd.grad(derived[-1], place, create_graph=True)
    share = derived[2] / (2 * derived[2] + (place + others) * derived[3])
    maps = torch.tensor([[[[0.9, others]]]], dtype=torch.float64)
    net = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(2, 1, bias=False)).double()
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[w, v]]))
    found = gradcam_pp(net, maps, layer="0")
    np.testing.assert_allclose(found[0, 0].numpy(), share.item() * w * np.array([0.9, others]), atol=1e-12)


def test_a_layer_by_its_name_its_end_or_itself():
    net = nn.Sequential(network())
    x = torch.from_numpy(X)
    by_name = gradcam(net, x, layer="0.0")
    assert torch.equal(gradcam(nn.Sequential(net), x, layer="0.0.0"), by_name)
    assert torch.equal(gradcam(net, x, layer=net[0][0]), by_name)
    assert not torch.equal(gradcam(net, x), by_name)  # before the ReLU, what is below 0 counts against


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "googlenet", "shufflenet_v2_x1_0"])
def test_networks_with_a_mean_at_their_end(name):
    net = torchatlas.create(name, num_classes=4, input_size=(64, 64)).double().eval()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        net.head.weight.abs_()  # so that no place speaks against a class
    found, ratio = cam(net, x), cam(net, x) / gradcam(net, x)
    assert found.shape == (2, 64, 64)
    torch.testing.assert_close(ratio, torch.full_like(ratio, ratio[0, 0, 0].item()))
    assert ratio[0, 0, 0].item() in (pytest.approx(4), pytest.approx(64))  # the pixels of the last map
    last_block = net.stages[1][-1]  # the network calls a stage's blocks, not the stage
    assert torch.equal(gradcam(net, x, layer="stages.1"), gradcam(net, x, layer=last_block))


@pytest.mark.parametrize("explain", [cam, gradcam, gradcam_pp])
def test_what_has_no_maps_is_refused(explain):
    net, x = network(), torch.from_numpy(X)
    with pytest.raises(UsageError, match="not a function"):
        explain(lambda z: net(z), x)
    with pytest.raises(UsageError, match="images"):
        explain(net, torch.zeros(3, 7))
    with pytest.raises(UsageError, match=r"names 0 parts.*take one like"):
        explain(net, x, layer="stage")
    with pytest.raises(UsageError, match="no map"):
        explain(net, x, layer="3")
    with pytest.raises(UsageError, match="no part"):
        explain(net, x, layer=nn.ReLU())
    with pytest.raises(UsageError, match="classes are 0 to 2"):
        explain(net, x, torch.tensor([0, 1, 2, 3]))
    with pytest.raises(UsageError, match="one class for each"):
        explain(net, x, torch.tensor([0]))
    tokens = torchatlas.create("vit_tiny_patch16_224", input_size=(32, 32), num_classes=3)
    with pytest.raises(UsageError, match="does not end in maps"):
        explain(tokens, torch.zeros(1, 3, 32, 32))


def test_cam_wants_a_mean_and_a_linear_layer():
    with pytest.raises(UsageError, match="mean over this map"):
        cam(network(pooled=False), torch.from_numpy(X))
    with pytest.raises(UsageError, match="mean over this map"):
        cam(nn.Sequential(nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.zeros(2, 2, 3, 3))

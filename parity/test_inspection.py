"""Attacks and explanations beside captum, pruning beside PyTorch, costs beside its counter."""

import numpy as np
import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop, GuidedGradCam, LayerGradCam, Saliency
from captum.robust import FGSM, PGD
from torch import nn
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

from torchatlas import create, get


@pytest.fixture
def model():
    return (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Dropout(), nn.Linear(4 * 5 * 3, 6))
        .double()
        .eval()
    )


def images():
    """Pixels at both borders of the range too."""
    x = torch.rand(7, 3, 7, 5, dtype=torch.double)
    return ((x - 0.5) * 1.3 + 0.5).clamp(0, 1), torch.arange(7) % 6


def test_saliency(same, model):
    x, y = images()
    theirs = Saliency(model).attribute(x.clone().requires_grad_(), target=y, abs=True).amax(1)
    same("saliency", "captum.attr.Saliency", get("saliency")(model, x, y), theirs, 1e-14)


@pytest.fixture
def rectified():
    """Two ReLUs and a pool, then all places of the map weighed, so that slopes differ from place to place."""
    maps = (nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 2), nn.ReLU())
    return nn.Sequential(*maps, nn.Flatten(), nn.Dropout(), nn.Linear(6 * 4 * 3, 4)).double().eval()


def test_maps_of_a_layer_and_rectified_signals(same, rectified):
    x, y = torch.randn(5, 3, 12, 10, dtype=torch.double), torch.tensor([0, 3, 1, 2, 2])

    def resized(maps):
        return torch.nn.functional.interpolate(maps, (12, 10), mode="bilinear").squeeze(1)

    theirs = resized(LayerGradCam(rectified, rectified[4]).attribute(x, y, relu_attributions=True))
    same("gradcam", "captum.attr.LayerGradCam", get("gradcam")(rectified, x, y), theirs, 1e-12)
    theirs = resized(LayerGradCam(rectified, rectified[1]).attribute(x, y, relu_attributions=True))
    same("gradcam", "captum.attr.LayerGradCam", get("gradcam")(rectified, x, y, layer="1"), theirs, 1e-12)
    for name, peer in (("guided_backprop", GuidedBackprop), ("deconvnet_vis", Deconvolution)):
        ours = get(name)(rectified, x, y)
        theirs = peer(rectified).attribute(x.clone().requires_grad_(), y).abs().amax(1)
        same(name, f"captum.attr.{peer.__name__}", ours, theirs, 1e-12)
    peer = GuidedGradCam(rectified, rectified[4])
    theirs = peer.attribute(x.clone().requires_grad_(), y, interpolate_mode="bilinear").abs().amax(1)
    same("guided_gradcam", "captum.attr.GuidedGradCam", get("guided_gradcam")(rectified, x, y), theirs, 1e-12)


@pytest.mark.parametrize("targeted", [False, True])
def test_attacks(same, model, targeted):
    x, y = images()
    options = {
        "forward_func": model,
        "loss_func": nn.CrossEntropyLoss(reduction="none"),
        "lower_bound": 0.0,
        "upper_bound": 1.0,
    }
    ours = get("fgsm")(model, x, y, epsilon=0.07, targeted=targeted)
    theirs = FGSM(**options).perturb(x.clone(), epsilon=0.07, target=y, targeted=targeted)
    same("fgsm", "captum.robust.FGSM", ours, theirs, 1e-12)
    ours = get("pgd")(model, x, y, epsilon=0.1, steps=9, step=0.03, random_start=False, targeted=targeted)
    theirs = PGD(**options).perturb(
        x.clone(), radius=0.1, step_size=0.03, step_num=9, target=y, targeted=targeted, random_start=False
    )
    same("pgd", "captum.robust.PGD", ours, theirs, 1e-12)


def test_pgd_in_a_round_ball(same, model):
    """By the formula: captum's steps follow the sign of the gradient in every norm."""
    x, y = images()
    ours = get("pgd")(model, x, y, epsilon=0.5, steps=6, step=0.2, norm="l2", random_start=False)
    moved = x.clone()
    for _ in range(6):
        moved.requires_grad_()
        loss = nn.functional.cross_entropy(model(moved), y, reduction="sum")
        slope = torch.autograd.grad(loss, moved)[0]
        change = (moved.detach() + 0.2 * slope / length(slope) - x).numpy()
        change = change * np.minimum(1, 0.5 / length(torch.from_numpy(change)).numpy())
        moved = (x + torch.from_numpy(change)).clamp(0, 1)
    same("pgd", "formula (arXiv:1706.06083, steps along the gradient)", ours, moved, 1e-12)


def length(values):
    return values.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("sparsity", [0.0, 0.37, 0.9])
def test_pruning(same, scope, sparsity):
    model = create("mlp", in_features=11, num_classes=3, hidden=(7, 5))
    ours = get("pruning_magnitude")(model, sparsity, scope)
    places = [(module, "weight") for module in model.modules() if isinstance(module, nn.Linear)]
    if scope == "global":
        prune.global_unstructured(places, prune.L1Unstructured, amount=sparsity)
    else:
        for module, _ in places:
            prune.l1_unstructured(module, "weight", sparsity)
    for mine, (theirs, _) in zip(
        (m for m in ours.modules() if isinstance(m, nn.Linear)), places, strict=True
    ):
        same("pruning_magnitude", "torch.nn.utils.prune", mine.weight, theirs.weight, 0)


COSTS = {"mlp": (12,), "resnet20_cifar": (1, 12, 12), "lenet5": (1, 28, 28), "nin_cifar10": (3, 32, 32)}


@pytest.mark.parametrize("name", COSTS)
def test_costs(same, name):
    words = {"in_features": 12} if name == "mlp" else {"in_channels": COSTS[name][0]}
    model, x = create(name, num_classes=5, **words).eval(), torch.randn(2, *COSTS[name])
    with FlopCounterMode(display=False) as counter:
        model(x)
    ours = get("count_macs")(model, x).total
    same("count_macs", "torch.utils.flop_counter.FlopCounterMode", 2 * ours, counter.get_total_flops(), 0)


def test_parameters(same):
    ours = create("gpt", num_classes=70, context=32, width=48, layers=3, heads=4)
    peer = OpenAIGPTLMHeadModel(
        OpenAIGPTConfig(vocab_size=70, n_positions=32, n_embd=48, n_layer=3, n_head=4)
    )
    name = "transformers.OpenAIGPTLMHeadModel.num_parameters"
    same("count_params", name, get("count_params")(ours).total, peer.num_parameters(), 0)

"""Residual networks beside transformers, and networks of tables beside scikit-learn; weights copied."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from torch import nn
from transformers import ResNetConfig
from transformers.models.resnet.modeling_resnet import ResNetEncoder

from torchatlas import create


@pytest.mark.parametrize("shortcut", ["projection", "pad"])
@pytest.mark.parametrize("name, blocks", [("resnet20_cifar", 3), ("resnet32_cifar", 5)])
def test_resnet(same, shortcut, name, blocks):
    ours = create(name, num_classes=10, in_channels=3, shortcut=shortcut).double()
    peer = ResNetEncoder(
        ResNetConfig(embedding_size=16, hidden_sizes=[16, 32, 64], depths=[blocks] * 3, layer_type="basic")
    ).double()
    for stage, theirs in zip(ours.stages, peer.stages):
        for block, other in zip(stage, theirs.layers):
            for part, k in ((other.layer[0], 0), (other.layer[1], 3)):
                part.convolution.load_state_dict(block.body[k].state_dict())
                shake(block.body[k + 1], part.normalization)
            if len(list(block.shortcut.parameters())):
                other.shortcut.convolution.load_state_dict(block.shortcut[0].state_dict())
                shake(block.shortcut[1], other.shortcut.normalization)
            elif block.body[0].stride == (2, 2):  # option A in their network: every second pixel, then zeros
                new = block.body[0].out_channels - block.body[0].in_channels
                other.shortcut = nn.Sequential(nn.MaxPool2d(1, 2), nn.ZeroPad3d((0, 0, 0, 0, 0, new)))
    x = torch.randn(3, 3, 32, 24, dtype=torch.double)
    for training in (True, False):
        ours.train(training), peer.train(training)
        with torch.no_grad():
            stem = ours.stem(x)
            theirs = peer(stem).last_hidden_state.mean((2, 3))
            mine = ours.stages(stem).mean((2, 3))
        same(name, "transformers.models.resnet.modeling_resnet.ResNetEncoder", mine, theirs, 1e-12)


def shake(norm, other):
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5), norm.bias.normal_()
    other.load_state_dict(norm.state_dict())


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return x[:400] / 16, y[:400]


@pytest.mark.parametrize("activation, theirs", [("relu", "relu"), ("tanh", "tanh"), ("sigmoid", "logistic")])
def test_mlp(same, digits, activation, theirs):
    x, y = digits
    peer = MLPClassifier((20, 13), theirs, max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three rounds are not meant to be enough
        peer.fit(x, y)
    ours = create("mlp", in_features=64, num_classes=10, hidden=(20, 13), activation=activation).double()
    layers = [module for module in ours.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        for layer, weight, bias in zip(layers, peer.coefs_, peer.intercepts_, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T)), layer.bias.copy_(torch.from_numpy(bias))
        p = ours(torch.from_numpy(x)).softmax(1)
    same("mlp", "sklearn.neural_network.MLPClassifier", p, peer.predict_proba(x), 1e-12)


def test_linear_regression(same, digits):
    x, y = digits
    x = x[:, x.std(0) > 0.1][:, :20]
    rows, aim = torch.from_numpy(x), torch.from_numpy(np.stack([y, y**2], 1).astype(float))
    ours = create("linear_regression", in_features=20, num_classes=2).double().solve_(rows, aim)
    theirs = LinearRegression().fit(x, aim.numpy()).predict(x)
    same("linear_regression", "sklearn.linear_model.LinearRegression", ours(rows), theirs, 1e-9)


@pytest.mark.parametrize("name, classes", [("softmax_regression", 10), ("logistic_regression", 2)])
def test_regression_of_classes(same, digits, name, classes):
    """Both trained to the end, with the same penalty on the weights."""
    x, y = digits[0], digits[1] % classes
    peer = LogisticRegression(C=1.0, tol=1e-12, max_iter=5000).fit(x, y)
    ours = create(name, in_features=64, num_classes=classes).double()
    rows, labels = torch.from_numpy(x), torch.from_numpy(y)
    weight = next(p for p in ours.parameters() if p.ndim == 2)
    lbfgs = torch.optim.LBFGS(
        ours.parameters(),
        max_iter=2000,
        tolerance_grad=1e-10,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        lbfgs.zero_grad()
        loss = nn.functional.cross_entropy(ours(rows), labels, reduction="sum") + weight.square().sum() / 2
        loss.backward()
        return loss

    lbfgs.step(closure)
    with torch.no_grad():
        p = ours(rows).softmax(1)
    same(name, "sklearn.linear_model.LogisticRegression", p, peer.predict_proba(x), 1e-4)

import numpy as np
import pytest
import torch
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.learning.few_shot import PrototypicalNetworks
from torchatlas.networks.convolutional import Conv4


def episodes(count=3, way=4, shot=2, query=5, width=6):
    torch.manual_seed(0)
    sy, qy = (torch.arange(way).repeat_interleave(n).expand(count, -1) for n in (shot, query))
    sx, qx = (torch.randn(*y.shape, width, dtype=torch.double) for y in (sy, qy))
    return sx, sy, qx, qy


def learner(net=None, way=4):
    return PrototypicalNetworks(net or nn.Identity(), way, 2, 5)


def test_logits_are_minus_squared_distances_to_class_means():
    batch = episodes()
    sx, sy, qx, qy = (part.numpy() for part in batch)
    logits = learner().logits(batch)
    for e in range(3):
        means = np.stack([sx[e][sy[e] == k].mean(0) for k in range(4)])
        far = np.array([[((q - m) ** 2).sum() for m in means] for q in qx[e]])
        np.testing.assert_allclose(logits[e].numpy(), -far)
    p = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(2, keepdims=True)
    chosen = np.take_along_axis(p, qy[:, :, None], 2)[:, :, 0]
    np.testing.assert_allclose(learner().loss("all", batch)[0].item(), -np.log(chosen).mean())
    scores = learner().scores(batch)
    np.testing.assert_allclose(scores["loss"].numpy(), -np.log(chosen).ravel())
    assert scores["accuracy"].tolist() == (p.argmax(2) == qy).ravel().tolist()


def test_distances_are_squared_and_probabilities_those_of_a_linear_classifier():
    sx, sy, qx, qy = episodes()
    far = learner().logits((sx, sy, qx, qy))
    torch.testing.assert_close(learner().logits((2 * sx, sy, 2 * qx, qy)), 4 * far)
    centres = sx.view(3, 4, 2, 6).mean(2)
    linear = 2 * qx @ centres.mT - centres.square().sum(2)[:, None]
    torch.testing.assert_close(linear.log_softmax(2), far.log_softmax(2))


def test_with_one_shot_the_nearest_neighbour_wins():
    batch = episodes(shot=1)
    near = torch.cdist(batch[2], batch[0]).argmin(2)
    assert torch.equal(learner().logits(batch).argmax(2), near)


def test_training_takes_more_classes():
    one = PrototypicalNetworks(nn.Identity(), 4, 1, 5, train_way=7, train_query=2)
    batch = episodes(way=7, shot=1, query=2)
    assert one.logits(batch, training=True).shape == (3, 14, 7)
    assert torch.isfinite(one.loss("all", batch)[0])


def test_usual_embeddings():
    image = PrototypicalNetworks.for_data(Spec("image", (1, 28, 28), "classification", 9)).network
    assert isinstance(image, Conv4) and image(torch.zeros(1, 1, 28, 28)).shape == (1, 64)
    assert isinstance(image.head, nn.Identity)
    table = PrototypicalNetworks.for_data(Spec("table", (5,), "classification", 9), width=7).network
    assert table(torch.zeros(1, 5)).shape == (1, 7)


@pytest.mark.parametrize("at", [2, 5])
def test_stopped_and_gone_on(tmp_path, at):
    small = {"way": 2, "train_way": 4, "query": 3, "train_query": 2, "backbone": "mlp", "validate_every": 4}
    assert_stopped_is_whole(tmp_path, "prototypical_networks", 8, at, valid=0.3, **small)

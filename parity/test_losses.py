"""Losses beside scikit-learn, SciPy, transformers and pytorch-metric-learning."""

from itertools import product

import numpy as np
import pytest
import torch
from pytorch_metric_learning import losses as pml, miners
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.reducers import DoNothingReducer, MeanReducer
from scipy import special
from sklearn import metrics
from torchmetrics.functional import kl_divergence
from transformers.loss.loss_for_object_detection import sigmoid_focal_loss
from transformers.trainer_pt_utils import LabelSmoother

from torchatlas import create


def classes(count=11, k=5, scale=6.0):
    """Logits of large and small sizes, and class numbers of every class."""
    return torch.randn(count, k, dtype=torch.double) * scale, torch.arange(count) % k


def test_cross_entropy(same):
    z, y = classes()
    p = special.softmax(z.numpy(), 1)
    theirs = metrics.log_loss(y.numpy(), p, labels=range(5))
    same("cross_entropy", "sklearn.metrics.log_loss", create("cross_entropy")(z, y), theirs, 1e-12)
    same(
        "cross_entropy",
        "scipy.special.softmax",
        gradient(create("cross_entropy"), z, y),
        (p - np.eye(5)[y]) / 11,
        1e-12,
    )


def gradient(loss, z, y):
    z = z.clone().requires_grad_()
    return torch.autograd.grad(loss(z, y), z)[0]


def test_label_smoothing(same):
    z, y = classes()
    theirs = LabelSmoother(epsilon=0.1)({"logits": z}, y)
    ours = create("label_smoothing")(z, y)
    same(
        "label_smoothing", "transformers.trainer_pt_utils.LabelSmoother", ours, theirs, 1e-6
    )  # adds in float32


def test_divergences(same):
    p, q = torch.randn(2, 7, 4, dtype=torch.double).mul(3).softmax(-1)
    ours = create("kl_divergence")(q.log(), p)
    same("kl_divergence", "scipy.special.rel_entr", ours, special.rel_entr(p, q).sum(1).mean(), 1e-12)
    same("kl_divergence", "torchmetrics.functional.kl_divergence", ours, kl_divergence(p, q), 1e-12)


def test_dark_knowledge(same):
    z, y = classes(scale=3.0)
    aim, t, share = torch.randn_like(z) * 4, 3.0, 0.7
    p, q = special.softmax(aim / t, 1), special.softmax(z / t, 1)
    hard = metrics.log_loss(y, special.softmax(z, 1), labels=range(5))
    theirs = share * t**2 * special.rel_entr(p, q).sum(1).mean() + (1 - share) * hard
    same(
        "kd_loss",
        "scipy.special.rel_entr",
        create("kd_loss", temperature=t, alpha=share)(z, (aim, y)),
        theirs,
        1e-12,
    )


def test_regression(same):
    a, b = torch.randn(2, 40, dtype=torch.double) * 3
    same(
        "mse_loss",
        "sklearn.metrics.mean_squared_error",
        create("mse_loss")(a, b),
        metrics.mean_squared_error(b, a),
        1e-12,
    )
    same(
        "l1_loss",
        "sklearn.metrics.mean_absolute_error",
        create("l1_loss")(a, b),
        metrics.mean_absolute_error(b, a),
        1e-12,
    )
    for beta in (0.3, 1.0, 4.0):
        theirs = special.huber(beta, (a - b).numpy()).mean() / beta
        same("smooth_l1", "scipy.special.huber", create("smooth_l1", beta=beta)(a, b), theirs, 1e-12)


def test_perceptron(same):
    z, y = classes()
    sign = np.where(np.eye(5)[y] > 0, 1.0, -1.0)
    theirs = np.maximum(0, -sign * z.numpy()).sum(1).mean()
    same("perceptron_loss", "sklearn.metrics.hinge_loss", *perceptron_two(), 1e-12)
    same("perceptron_loss", "numpy.maximum", create("perceptron_loss")(z, y), theirs, 1e-12)


def perceptron_two():
    """A hinge with margin 0: scikit-learn's hinge loss of scores that stand a margin of 1 further out."""
    score, y = torch.randn(30, dtype=torch.double) * 3, torch.arange(30) % 2
    sign = y.numpy() * 2.0 - 1
    theirs = metrics.hinge_loss(sign, score.numpy() + sign)
    return create("perceptron_loss")(torch.stack([-score, score], 1), y) / 2, theirs


def test_adversarial_pairs(same):
    real, fake = torch.randn(2, 50, dtype=torch.double) * 4
    p, q = special.expit(real.numpy()), special.expit(fake.numpy())
    critic = metrics.log_loss([1] * 50 + [0] * 50, np.concatenate([p, q])) * 2
    for name in ("gan_minimax", "gan_nonsaturating"):
        same(name, "sklearn.metrics.log_loss", create(name).critic(real, fake), critic, 1e-12)
    same(
        "gan_minimax",
        "scipy.special.log_expit",
        create("gan_minimax").generator(fake),
        np.log1p(-q).mean(),
        1e-12,
    )
    theirs = -special.log_expit(fake.numpy()).mean()
    same(
        "gan_nonsaturating",
        "scipy.special.log_expit",
        create("gan_nonsaturating").generator(fake),
        theirs,
        1e-12,
    )


SIZES = (900, 120, 33, 5, 1)  # training rows of the five classes


def test_rare_classes_weigh_more(same):
    """Beside weighted cross entropies that are divided by rows again, in place of weights."""
    z, y = classes()
    z, sizes = z.float(), np.array(SIZES)
    beta = 0.99
    number = (1 - beta) / (1 - beta**sizes)
    every = {
        "inverse_class_frequency": sizes.sum() / sizes,
        "cost_sensitive_ce": sizes.min() / sizes,
        "class_balanced_loss": 5 * number / number.sum(),
    }
    for name, weights in every.items():
        options = {"beta": beta} if name == "class_balanced_loss" else {}
        ours = create(name, class_counts=SIZES, **options)
        peer = torch.nn.CrossEntropyLoss(torch.tensor(weights).float(), reduction="sum")
        same(name, "torch.nn.CrossEntropyLoss", ours(z, y), peer(z, y) / len(y), 1e-6)
        w = weights[y.numpy()]
        p = special.softmax(z.double().numpy(), 1)
        theirs = metrics.log_loss(y.numpy(), p, labels=range(5), sample_weight=w) * w.mean()
        same(name, "sklearn.metrics.log_loss", ours(z.double(), y), theirs, 1e-6)


def test_shifted_scores(same):
    z, y = classes()
    p = special.softmax(z.numpy(), 1) * np.array(SIZES)
    theirs = metrics.log_loss(y.numpy(), p / p.sum(1, keepdims=True), labels=range(5))
    for name in ("balanced_softmax", "logit_adjustment"):
        same(name, "sklearn.metrics.log_loss", create(name, class_counts=SIZES)(z, y), theirs, 1e-6)


def test_consistency(same):
    a, b = torch.randn(2, 9, 4, dtype=torch.double) * 3
    p, q = (special.softmax(z.numpy(), 1) for z in (a, b))
    ours = create("consistency_loss")(a, b)
    same(
        "consistency_loss",
        "sklearn.metrics.mean_squared_error",
        ours,
        metrics.mean_squared_error(q, p),
        1e-12,
    )
    ours = create("consistency_loss", distance="kl")(a, b)
    theirs = kl_divergence(b.softmax(1), a.softmax(1))
    same("consistency_loss", "torchmetrics.functional.kl_divergence", ours, theirs, 1e-9)


@pytest.mark.parametrize("gamma, alpha", [(2.0, 0.25), (0.5, 0.6), (0.0, 0.5), (5.0, None)])
def test_focal(same, gamma, alpha):
    z = torch.randn(9, 4, dtype=torch.double) * 5
    y = (torch.rand_like(z) < 0.3).double()
    ours = create("sigmoid_focal_loss", gamma=gamma, alpha=alpha)(z, y)
    theirs = sigmoid_focal_loss(z, y, 9, -1 if alpha is None else alpha, gamma)
    peer = "transformers.loss.loss_for_object_detection.sigmoid_focal_loss"
    same("sigmoid_focal_loss", peer, ours, theirs, 1e-12)
    two = z[:, 0]  # of two classes, by softmax and by sigmoid
    ours = create("focal_loss", gamma=gamma, alpha=None)(
        torch.stack([torch.zeros_like(two), two], 1), y[:, 0].long()
    )
    same("focal_loss", peer, ours, sigmoid_focal_loss(two[:, None], y[:, :1], 9, -1, gamma), 1e-12)


@pytest.mark.parametrize(
    "kind, theirs", [("semi_hard", "semihard"), ("hard", "hard"), ("easy", "easy"), ("all", "all")]
)
@pytest.mark.parametrize("squared", [True, False])
def test_triplets(same, kind, theirs, squared):
    points, labels = torch.randn(14, 3, dtype=torch.double) * 3, torch.arange(14) % 4
    distance = LpDistance(normalize_embeddings=True, power=2 if squared else 1)
    miner = miners.TripletMarginMiner(margin=0.3, type_of_triplets=theirs, distance=distance)
    mined = miner(points, labels)
    if kind == "all":  # theirs leaves easy triplets out
        miner.type_of_triplets = "easy"
        mined = [torch.cat(places) for places in zip(mined, miner(points, labels))]
    peer = pml.TripletMarginLoss(margin=0.3, distance=distance, reducer=MeanOfAll())
    ours = create("triplet_loss", margin=0.3, mining=kind, squared=squared)
    same(
        "triplet_loss",
        "pytorch_metric_learning.losses.TripletMarginLoss",
        *both(ours, peer, points, labels, mined),
        1e-9,
    )
    unit = torch.nn.functional.normalize(points, dim=1)
    far = (unit[:, None] - unit[None]).square().sum(2)
    places = ours.miner(far if squared else far.sqrt(), labels).nonzero()
    found = sorted(map(tuple, torch.stack(mined, 1).tolist()))
    assert len(found) or kind == "hard"
    same(
        "triplet_loss",
        "pytorch_metric_learning.miners.TripletMarginMiner",
        places,
        np.reshape(found, (-1, 3)),
        0,
    )


def both(ours, peer, points, labels, mined):
    """The two gradients by the embeddings, where the losses are the same."""
    a, b = (points.clone().requires_grad_() for _ in range(2))
    mine, other = ours(a, labels), peer(b, labels, mined)
    assert torch.allclose(mine, other, atol=1e-9)
    return torch.autograd.grad(mine, a)[0], torch.autograd.grad(other, b)[0]


class MeanOfAll(torch.nn.Module):
    """Their reducer that counts triplets without loss too, as the mean over what was mined."""

    def forward(self, loss_dict, embeddings, labels):
        values = loss_dict["loss"]["losses"]
        return values.mean() if torch.is_tensor(values) and values.numel() else embeddings.sum() * 0


def test_ctc(same):
    """All paths, one by one: 3 symbols with the blank, 5 frames."""
    logits = torch.randn(5, 2, 3, dtype=torch.double) * 3
    log_p, labels = logits.log_softmax(2), [[1, 2], [1, 1]]
    theirs = []
    for k, label in enumerate(labels):
        scores = []
        for path in product(range(3), repeat=5):
            merged = [s for i, s in enumerate(path) if i == 0 or s != path[i - 1]]
            if [s for s in merged if s] == label:
                scores.append(sum(float(log_p[t, k, s]) for t, s in enumerate(path)))
        theirs.append(-special.logsumexp(scores))
    loss = create("ctc_loss", reduction="none")
    ours = loss(log_p, torch.tensor(labels), torch.tensor([5, 5]), torch.tensor([2, 2]))
    same("ctc_loss", "formula (Graves 2006, the sum over all paths)", ours, theirs, 1e-12)


def metric_data(count=15, width=4, k=4):
    """Embeddings of several lengths, and class numbers."""
    return torch.randn(count, width, dtype=torch.double) * 2, torch.arange(count) % k


def rows_apart(unit):
    return LpDistance(normalize_embeddings=unit, power=1)


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("unit", [True, False])
def test_contrastive(same, unit, power):
    points, labels = metric_data()
    peer = pml.ContrastiveLoss(neg_margin=1.0, distance=rows_apart(unit), reducer=DoNothingReducer())
    found = peer(points, labels)
    gaps = torch.cat([found[kind]["losses"].flatten() for kind in ("pos_loss", "neg_loss")])
    theirs = gaps.pow(power).sum() / (2 * 15 * 14)  # theirs are both orders of every pair
    ours = create("contrastive_loss", power=power, unit=unit)(points, labels)
    same("contrastive_loss", "pytorch_metric_learning.losses.ContrastiveLoss", ours, theirs, 1e-12)


PEERS = {
    "lifted_structured": lambda: pml.LiftedStructureLoss(1, 0, distance=rows_apart(False)),
    "circle_loss": lambda: pml.CircleLoss(m=0.4, gamma=80),
    "histogram_loss": lambda: pml.HistogramLoss(n_bins=150),
    "angular_loss": lambda: pml.AngularLoss(alpha=45),
    "soft_nearest_neighbor": lambda: pml.NCALoss(softmax_scale=2.0),
    "ranked_list_loss": lambda: pml.RankedListLoss(margin=0.4, Tn=10, alpha=1.2),
}
NEAR = {"histogram_loss": 1e-6, "ranked_list_loss": 1e-4}  # theirs bins in single, and adds 1e-5 to weights
OPTIONS = {
    "circle_loss": {"margin": 0.4, "gamma": 80.0},
    "soft_nearest_neighbor": {"temperature": 0.5, "unit": True},
}


@pytest.mark.parametrize("name", PEERS)
def test_embeddings(same, name):
    points, labels = metric_data()
    if name == "angular_loss":  # theirs leaves negatives as long as they are
        points = torch.nn.functional.normalize(points, dim=1)
    peer = PEERS[name]()
    if name != "histogram_loss":
        peer.reducer = MeanReducer()
    theirs = peer(points, labels) * (2 if name == "ranked_list_loss" else 1)  # theirs halves both sides
    ours = create(name, **OPTIONS.get(name, {}))(points, labels)
    same(name, f"pytorch_metric_learning.losses.{type(peer).__name__}", ours, theirs, NEAR.get(name, 1e-9))


@pytest.mark.parametrize("epsilon", [0.1, None])
def test_multi_similarity(same, epsilon):
    points, labels = metric_data()
    peer = pml.MultiSimilarityLoss(alpha=2, beta=50, base=0.5, reducer=MeanReducer())
    mined = miners.MultiSimilarityMiner(epsilon=epsilon)(points, labels) if epsilon else None
    ours = create("multi_similarity", epsilon=epsilon)(points, labels)
    same(
        "multi_similarity",
        "pytorch_metric_learning.losses.MultiSimilarityLoss",
        ours,
        peer(points, labels, mined),
        1e-12,
    )


@pytest.mark.parametrize("unit", [True, False])
def test_batch_hard_triplets(same, unit):
    points, labels = metric_data()
    distance = rows_apart(unit)
    mined = miners.BatchHardMiner(distance=distance)(points, labels)
    for margin in (0.3, None):
        peer = pml.TripletMarginLoss(
            margin=margin or 0.0, smooth_loss=margin is None, distance=distance, reducer=MeanOfAll()
        )
        ours = create("batch_hard_triplet", margin=margin, unit=unit)(points, labels)
        same(
            "batch_hard_triplet",
            "pytorch_metric_learning.miners.BatchHardMiner",
            ours,
            peer(points, labels, mined),
            1e-12,
        )


@pytest.mark.parametrize(
    "name, theirs",
    [
        ("proxy_nca_pp", lambda: pml.ProxyNCALoss(4, 5, softmax_scale=9)),
        ("proxy_anchor", lambda: pml.ProxyAnchorLoss(4, 5, margin=0.1, alpha=32)),
    ],
)
def test_proxies(same, name, theirs):
    points, labels = metric_data(width=5)
    labels = labels % 3  # one class has no rows
    peer, ours = theirs().double(), create(name, num_classes=4, width=5).double()
    peer.proxies.data = ours.proxies.detach().clone()
    peer_name = f"pytorch_metric_learning.losses.{type(peer).__name__}"
    mine, other = ours(points, labels), peer(points, labels)
    same(name, peer_name, mine, other, 1e-12)
    gradients = [
        torch.autograd.grad(value, p)[0] for value, p in ((mine, ours.proxies), (other, peer.proxies))
    ]
    same(name, peer_name, *gradients, 1e-12)

"""Classical models as they are created here, few-shot prototypes and the mean teacher, beside their peers."""

import pytest
import sklearn.ensemble
import sklearn.linear_model
import sklearn.svm
import sklearn.tree
import torch
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestCentroid
from sklearn.utils.class_weight import compute_sample_weight
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from torchatlas import create, get

MODELS = {
    "svm": (sklearn.svm.SVC, {"kernel": "rbf", "C": 1.0, "gamma": "scale"}),
    "decision_tree": (sklearn.tree.DecisionTreeClassifier, {"criterion": "gini", "random_state": 0}),
    "random_forest": (sklearn.ensemble.RandomForestClassifier, {"max_features": "sqrt", "random_state": 0}),
    "gradient_boosting": (
        sklearn.ensemble.HistGradientBoostingClassifier,
        {"random_state": 0, "max_iter": 10},
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_classical(same, name):
    """What is created is the model with the settings that its card states."""
    peer, options = MODELS[name]
    x, y = load_digits(return_X_y=True)
    said = {key: value for key, value in options.items() if key in ("random_state", "max_iter")}
    ours = create(name, **said).fit(x[:300], y[:300]).predict(x[300:500])
    theirs = peer(**options).fit(x[:300], y[:300]).predict(x[300:500])
    same(name, f"{peer.__module__.rsplit('._', 1)[0]}.{peer.__name__}", ours, theirs, 0)


def test_prototypes(same):
    known, asked = torch.randn(2, 12, 5, dtype=torch.double), torch.randn(2, 9, 5, dtype=torch.double)
    numbers = torch.stack([torch.randperm(12) % 4 for _ in range(2)])
    learner = get("prototypical_networks")(nn.Identity(), way=4, shot=3, query=9)
    ours = learner.logits((known, numbers, asked, None))
    for k in range(2):
        peer = NearestCentroid().fit(known[k].numpy(), numbers[k].numpy())
        theirs = -euclidean_distances(asked[k].numpy(), peer.centroids_, squared=True)
        same("prototypical_networks", "sklearn.neighbors.NearestCentroid", ours[k], theirs, 1e-12)
        same(
            "prototypical_networks",
            "sklearn.neighbors.NearestCentroid",
            ours[k].argmax(1),
            peer.predict(asked[k].numpy()),
            0,
        )


def test_mean_teacher(same):
    network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    learner = get("mean_teacher")(network, nn.Identity(), decay=0.9, late_decay=0.99)
    peer = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    peer.update_parameters(network)  # the first is a copy
    for step in range(500, 520):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        learner.updated("model", step)
        peer.update_parameters(network)
    x = torch.randn(6, 4, dtype=torch.double)
    same("mean_teacher", "torch.optim.swa_utils.AveragedModel", learner.judge(x), peer(x), 1e-12)


def test_the_first_steps_of_a_mean_teacher(same):
    """Until the decay is reached, the teacher is the plain mean of all weights since the first step."""
    network = nn.Linear(4, 3).double()
    learner = get("mean_teacher")(network, nn.Identity(), decay=0.999)
    learner.planned(1000, 100)
    peer, x = AveragedModel(network), torch.randn(6, 4, dtype=torch.double)
    for step in range(20):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        learner.updated("model", step)
        peer.update_parameters(network)
        same("mean_teacher", "torch.optim.swa_utils.AveragedModel", learner.judge(x), peer(x), 1e-12)


def test_class_balanced_sampling(same):
    labels = torch.tensor([0] * 40 + [1] * 7 + [2] * 3)
    sampler = get("class_balanced_sampling")(labels)
    ours = (sampler.shares / torch.bincount(labels))[labels]
    theirs = compute_sample_weight("balanced", labels.numpy()) / 50
    same("class_balanced_sampling", "sklearn.utils.class_weight.compute_sample_weight", ours, theirs, 1e-14)


@pytest.mark.parametrize("name", ["maml", "fomaml"])
def test_maml(same, name):
    """One task after another by torch.autograd, as the paper's first algorithm is written."""
    network = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    learner = get(name)(network, way=3, shot=2, query=4, inner_lr=0.3, inner_steps=3)
    known, asked = torch.randn(2, 6, 5, dtype=torch.double), torch.randn(2, 4, 5, dtype=torch.double)
    numbers, answers = torch.arange(6).expand(2, 6) % 3, torch.randint(3, (2, 4))
    params, theirs = list(network.parameters()), []
    for k in range(2):
        w, b, v, c = params
        for _ in range(3):
            logits = (known[k] @ w.T + b).tanh() @ v.T + c
            loss = nn.functional.cross_entropy(logits, numbers[k])
            slopes = torch.autograd.grad(loss, (w, b, v, c), create_graph=name == "maml")
            w, b, v, c = (x - 0.3 * slope for x, slope in zip((w, b, v, c), slopes))
        theirs.append((asked[k] @ w.T + b).tanh() @ v.T + c)
    ours, theirs = learner.logits((known, numbers, asked, answers), True), torch.stack(theirs)
    paper = "formula (arXiv:1703.03400, tasks one by one)"
    same(name, paper, ours, theirs, 1e-12)
    losses = [nn.functional.cross_entropy(z.flatten(0, 1), answers.flatten()) for z in (ours, theirs)]
    for mine, other in zip(*(torch.autograd.grad(loss, params) for loss in losses)):
        same(name, paper, mine, other, 1e-12)


def test_perceptron(same):
    """Sample by sample, each class against the rest, from zero."""
    x, y = load_digits(return_X_y=True)
    x, y = x[:250] / 16, y[:250]
    peer = sklearn.linear_model.Perceptron(shuffle=False, max_iter=2, tol=None).fit(x, y)
    ours = create("perceptron", in_features=64, num_classes=10).double()
    loss, sgd = create("perceptron_loss"), create("sgd", ours.parameters(), lr=1.0)
    rows, labels = torch.from_numpy(x), torch.from_numpy(y)
    for k in [*range(250)] * 2:
        sgd.zero_grad()
        loss(ours(rows[k : k + 1]), labels[k : k + 1]).backward()
        sgd.step()
    same("perceptron", "sklearn.linear_model.Perceptron", ours.head.weight, peer.coef_, 1e-12)
    same("perceptron", "sklearn.linear_model.Perceptron", ours.head.bias, peer.intercept_, 1e-12)

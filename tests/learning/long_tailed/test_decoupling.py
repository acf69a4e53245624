import numpy as np
import pytest
import torch
from torch import nn

from torchatlas.data.prepared import prepare
from torchatlas.data.spec import Dataset, Spec
from torchatlas.engine.errors import UsageError
from torchatlas.engine.loop import ENDLESS, Loop, Plan
from torchatlas.learning.long_tailed import DecouplingCRT, DecouplingLWS, DecouplingTau, tau_normalized
from torchatlas.networks.convolutional import LeNet5

TABLE = Spec("table", (4,), "classification", 3, counts=(40, 8, 4))
staged = pytest.mark.parametrize("kind", [DecouplingCRT, DecouplingLWS])
every = pytest.mark.parametrize("kind", [DecouplingCRT, DecouplingLWS, DecouplingTau])


def prepared(weight=None):
    """Three clouds in a plane of very different sizes."""
    draw = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], (160, 32, 16))
    x = draw.normal(size=(len(y), 4)) + 1.2 * np.eye(4)[y] * 2
    frame = __import__("pandas").DataFrame(x, columns=list("abcd"))
    made = Dataset("tail", "table", frame, y, "classification", ("a", "b", "c"), weight=weight)
    return prepare(made, seed=0)


class Normed(nn.Module):
    """A network with batch statistics and dropout."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(6, 3)

    def forward_features(self, x):
        return self.body(x)

    def forward(self, x):
        return self.head(self.forward_features(x))


def trained(learner, steps, data=None):
    data = data or prepared()
    source = learner.source(data, 16, 0, "cpu")
    if source is None:
        from torchatlas.data import Resident

        source = Resident(data.train, 16, 0)
    optimizers = {player: torch.optim.Adam(learner.owned(player), 0.01) for player in learner.players}
    loop = Loop(learner, source, optimizers, Plan(steps=steps))
    loop.run()
    return loop


@staged
def test_the_last_share_of_the_steps_is_the_second_stage(kind):
    learner = kind(Normed(), share=0.25)
    learner.planned(40, 4)
    assert [learner.turns(k)[0] for k in (0, 29, 30, 39)] == ["network"] * 2 + ["classifier"] * 2
    learner.planned(80, 4)  # longer training lengthens the second stage
    assert learner.turns(30) == ("classifier",)
    other = kind(Normed())
    other.planned(ENDLESS, 4)
    assert other.turns(79) == ("network",) and other.turns(80) == ("classifier",)
    short = kind(Normed())
    short.planned(1, 1)
    assert short.turns(0) == ("network",)


@staged
def test_the_second_stage_moves_the_classifier_alone(kind):
    torch.manual_seed(0)
    learner = kind(Normed(), share=0.5)
    loop = trained(learner, 10)
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    head = {name: value.clone() for name, value in learner.classifier.state_dict().items()}
    loop.plan = Plan(steps=20)
    loop.run()
    assert all(torch.equal(before[name], value) for name, value in learner.network.state_dict().items())
    assert all(not torch.equal(head[name], value) for name, value in learner.classifier.state_dict().items())
    assert learner.network.training  # its mode is its own again


@staged
def test_batches_are_of_the_rows_then_of_each_class_alike(kind):
    data, learner = prepared(), kind(Normed(), share=0.5)
    learner.planned(400, 10)
    source = learner.source(data, 16, 0, "cpu")
    shares = []
    for steps in (range(100), range(300, 400)):
        y = torch.cat([source.batch(k, 0, learner)[1] for k in steps])
        shares.append(torch.bincount(y, minlength=3) / len(y))
    natural = torch.bincount(data.train.y, minlength=3) / len(data.train)
    torch.testing.assert_close(shares[0], natural, atol=0.02, rtol=0)
    torch.testing.assert_close(shares[1], torch.full((3,), 1 / 3), atol=0.05, rtol=0)


def test_a_retrained_classifier_is_fresh_and_judges_in_its_stage():
    learner = DecouplingCRT(Normed()).eval()
    x = torch.randn(5, 4)
    assert not torch.equal(learner.classifier.weight, learner.network.head.weight)
    assert torch.equal(learner.judge(x), learner.network(x))
    learner.updated("classifier", 7)
    want = learner.classifier(learner.network.forward_features(x))
    assert torch.equal(learner.judge(x), want)
    assert torch.equal(learner.predict(x), want.softmax(1))
    other = DecouplingCRT(Normed()).eval()
    other.load_state_dict(learner.state_dict())
    assert torch.equal(other.judge(x), want)


def test_scales_of_one_change_nothing_and_scale_each_class():
    learner = DecouplingLWS(Normed()).eval()
    x = torch.randn(5, 4)
    learner.updated("classifier", 0)
    torch.testing.assert_close(learner.judge(x), learner.network(x))
    with torch.no_grad():
        learner.classifier.factors.copy_(torch.tensor([1.0, 2.0, -3.0]))
    torch.testing.assert_close(learner.judge(x), learner.network(x) * torch.tensor([1.0, 2.0, -3.0]))
    assert [p.shape for p in learner.owned("classifier")] == [(3,)]


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_normalised_rows_have_a_power_of_their_length(tau):
    weight = torch.randn(4, 6, dtype=torch.double) * torch.tensor([[9.0], [1.0], [0.1], [4.0]]).double()
    got = tau_normalized(weight, tau)
    for row, new in zip(weight.tolist(), got.tolist(), strict=True):
        length = sum(w * w for w in row) ** 0.5
        assert new == pytest.approx([w / length**tau for w in row])
        assert sum(w * w for w in new) ** 0.5 == pytest.approx(length ** (1 - tau))
    assert torch.isfinite(tau_normalized(torch.zeros(2, 3), tau)).all()


def test_a_normalised_classifier_judges_without_bias():
    learner = DecouplingTau(Normed(), tau=0.7).eval()
    x = torch.randn(5, 4)
    w, f = learner.network.head.weight, learner.network.forward_features(x)
    want = (f @ (w / w.norm(dim=1, keepdim=True) ** 0.7).mT).detach()
    torch.testing.assert_close(learner.judge(x).detach(), want)
    scores = learner.scores((x, torch.arange(5) % 3))
    plain = torch.nn.functional.cross_entropy(learner.network(x), torch.arange(5) % 3, reduction="none")
    torch.testing.assert_close(scores["loss"], plain)
    assert torch.equal(scores["accuracy"], (want.argmax(1) == torch.arange(5) % 3).float())


def test_retraining_helps_the_rare_classes():
    """Digits with 100 rows of the first class and 2 of the last, in the mean over seeds."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
    counts = [100, 65, 42, 27, 18, 11, 7, 5, 3, 2]
    recalls = []
    for seed in range(2):
        torch.manual_seed(seed)
        order = torch.randperm(len(y))
        rows = torch.cat([order[y[order] == c][:n] for c, n in enumerate(counts)])
        rest = torch.cat([order[y[order] == c][100:] for c in (7, 8, 9)])
        spec = Spec("table", (64,), "classification", 10, counts=tuple(counts))
        learner = DecouplingCRT.for_data(spec, share=0.4)
        loop = trained(learner, 500, _data(x[rows], y[rows], spec))
        assert loop.step == 500
        learner.eval()
        with torch.no_grad():
            plain = (learner.network(x[rest]).argmax(1) == y[rest]).float().mean()
            recalls.append((plain, (learner.judge(x[rest]).argmax(1) == y[rest]).float().mean()))
    plain, again = torch.tensor(recalls).mean(0)
    assert again > plain + 0.05


def _data(x, y, spec):
    from torchatlas.data.prepared import Prepared
    from torchatlas.data.spec import Part

    return Prepared(spec, Part(x, y, np.arange(len(y))), None, None, None)


@every
def test_what_they_cannot_learn_is_told(kind):
    with pytest.raises(UsageError, match="regression"):
        kind.for_data(Spec("table", (4,), "regression", 1))
    with pytest.raises(UsageError, match="linear head"):
        kind(nn.Linear(3, 2))
    with pytest.raises(UsageError, match="no sample weights"):
        data = prepared(weight=np.ones(208))
        kind.for_data(data.spec).source(data, 4, 0, "cpu")
    assert isinstance(
        kind.for_data(Spec("image", (1, 28, 28), "classification", 10), "lenet5").network, LeNet5
    )


@staged
def test_a_share_is_a_part_of_the_training(kind):
    for share in (0.0, 1.0):
        with pytest.raises(UsageError, match="share"):
            kind(Normed(), share=share)

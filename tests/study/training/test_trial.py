import pytest
import torch
from torch import nn

from torchatlas.data import open_dataset
from torchatlas.data.spec import Part, Spec
from torchatlas.engine.errors import UsageError
from torchatlas.engine.learner import Learner
from torchatlas.learning.supervised import Supervised
from torchatlas.study.training import loops
from torchatlas.study.training.recipe import Recipe
from torchatlas.study.training.run import load
from torchatlas.study.training.train import train
from torchatlas.study.training.trial import give_sizes, try_out, untouched

TABLE = Spec("table", (4,), "classification", 3, ("a", "b", "c"))
PART = Part(torch.randn(20, 4), torch.arange(20) % 3, None)
RECIPE = Recipe(method="nets:MyNet", data="rows", batch_size=8)


class Wide(nn.Sequential):
    """Outputs of any shape."""

    def __init__(self, *shape):
        width = int(torch.tensor(shape).prod()) if shape else 1
        super().__init__(nn.Linear(4, width), nn.Unflatten(1, shape) if shape else nn.Flatten(0))


class Lazy(nn.Module):
    """Sizes that the first batch tells."""

    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.LazyLinear(9), nn.LazyBatchNorm1d(), nn.Dropout(0.5))
        self.head = nn.LazyLinear(num_classes)

    def forward(self, x):
        return self.head(self.body(x))


class Restless(Learner):
    """Everything that a trial could move: buffers, one of them born in the loss; a gradient; randomness."""

    monitor = "loss"

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("scratch", None)

    def loss(self, player, batch):
        self.seen += len(batch[0])
        self.scratch = batch[0].mean(0)
        self.net[0].bias.data.add_(1)
        self.net(batch[0]).sum().backward()
        return (self.net(batch[0]) * torch.rand(3)).sum()

    def scores(self, batch):
        return {"loss": self.net(batch[0]).sum(1)}


def test_a_trial_leaves_no_trace():
    learner = Restless()
    learner.net[1].eval()
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    random = torch.get_rng_state()
    try_out(learner, RECIPE, TABLE, PART, PART)
    after = learner.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    assert learner.scratch is None and all(p.grad is None for p in learner.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert learner.training and not learner.net[1].training
    with pytest.raises(ZeroDivisionError), untouched(learner):
        learner.seen += 1 / 0


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Wide(7), r"MyNet gives \(n, 7\) for this data's 3 classes.*constructor's num_classes"),
        (Wide(), r"MyNet gives \(n,\) for"),
        (Wide(3, 2), r"MyNet gives \(n, 3, 2\) for"),
        (nn.Linear(5, 3), r"MyNet cannot take this data \(inputs of shape \(n, 4\)\): mat1"),
        (nn.LSTM(4, 3), "gives a tuple"),
    ],
)
def test_a_network_that_does_not_fit(network, message):
    with pytest.raises(UsageError, match=message):
        try_out(Supervised(network), RECIPE, TABLE, PART)


@pytest.mark.parametrize(("shape", "fits"), [((), True), ((1,), True), ((2,), False), ((1, 1), False)])
def test_one_value_may_be_flat(shape, fits):
    spec, part = Spec("table", (4,), "regression", 1, ("price",)), Part(PART.x, torch.randn(20, 1), None)
    learner = Supervised(Wide(*shape), "regression")
    if not fits:
        with pytest.raises(UsageError, match="this data's one target"):
            try_out(learner, RECIPE, spec, part)
        return
    try_out(learner, RECIPE, spec, part, part)
    assert learner.predict(PART.x).shape == (20, 1)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda p, t: (p - t).square().mean(), "failed on a trial batch of 8 rows: The size of tensor"),
        (lambda p, t: p.logsumexp(1), r"one number.*shape \(8,\)"),
        (lambda p, t: (p.argmax(1) != t).float().mean(), "no gradient"),
        (lambda p, t: {}["margin"], r"KeyError: 'margin' \(test_trial.py, line \d+\)"),
    ],
)
def test_a_loss_that_does_not_fit(loss, message):
    recipe = RECIPE.model_copy(update={"loss": "nets:Loss"})
    with pytest.raises(UsageError, match=f"(?s)MyNet with loss nets:Loss.*{message}"):
        try_out(Supervised(Wide(3), loss=loss), recipe, TABLE, PART)


def test_a_last_batch_of_one_row_is_tried_where_the_run_comes_to_it():
    learner = Supervised(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
    part = Part(PART.x[:17], PART.y[:17], None)
    try_out(learner, RECIPE.model_copy(update={"steps": 2}), TABLE, part)
    with pytest.raises(UsageError, match=r"trial batch of 1 row: Expected more than 1 value"):
        try_out(learner, RECIPE.model_copy(update={"steps": 3}), TABLE, part)


def test_scores_are_one_per_sample():
    class Total(Restless):
        def scores(self, batch):
            return {"loss": self.net(batch[0]).sum()}

    with pytest.raises(UsageError, match=r"score loss has shape \(\)"):
        try_out(Total(), RECIPE, TABLE, PART, PART)


def test_what_is_found_is_found_before_the_folder_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"gives \(n, 7\)"):
        train(Narrow, "iris", steps=2, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


class Narrow(nn.Module):
    def __init__(self, in_features, num_classes):
        super().__init__()
        self.net = nn.Linear(in_features, 7)

    def forward(self, x):
        return self.net(x)


def test_no_run_is_moved_by_its_trial(tmp_path, monkeypatch):
    words = {"data": "iris", "steps": 5, "threads": 1, "dropout": 0.3}
    train("mlp", out=tmp_path / "tried", **words)
    monkeypatch.setattr(loops, "try_out", lambda *given: None)
    train("mlp", out=tmp_path / "untried", **words)
    files = [tmp_path / name / "checkpoints/00000005/state.safetensors" for name in ("tried", "untried")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_lazy_modules_are_sized_before_training_and_before_loading(tmp_path):
    run = train(Lazy, "iris", steps=3, threads=1, out=tmp_path / "run")
    assert run.model.network.head.in_features == 9
    frame = open_dataset("iris").inputs
    again = load(tmp_path / "run").predict(frame)
    assert again.equals(run.predict(frame)) and run.result["parameters"] == 5 * 9 + 2 * 9 + 10 * 3


def test_lazy_modules_that_are_never_called():
    network = Lazy(3)
    network.spare = nn.LazyLinear(2)
    with pytest.raises(UsageError, match=r"network.spare.weight.* never called"):
        give_sizes(Supervised(network), TABLE)

"""Each law catches what it is there for: things that are broken in one way, as a user's own page could be."""

import sys
from pathlib import Path

import pytest

from torchatlas.cards.card import Card
from torchatlas.cards.reader import catalog
from torchatlas.study.laws import LAWS, laws_for

BROKEN = """
import torch
from torch import nn


class Narrows(nn.Module):
    def forward(self, x):
        return x[..., :1]


class MixesSamples(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class WrongGradient(nn.Module):
    def forward(self, x):
        return x.detach() * x


class Overflows(nn.Module):
    def forward(self, x):
        return x.exp().log1p()


class Widens(nn.Module):
    def forward(self, x):
        return x.float().tanh()


class Net(nn.Module):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__()
        self.body, self.head = nn.Linear(in_features, 8), nn.Linear(8, num_classes)

    def forward_features(self, x):
        return self.body(x).tanh()

    def forward(self, x):
        return self.head(self.forward_features(x))


class Fixed(Net):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__(in_features, 4)


class Unused(Net):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__(in_features, num_classes)
        self.spare = nn.Parameter(torch.ones(2))


class BatchNormed(Net):
    def forward_features(self, x):
        x = self.body(x)
        return x - x.mean(0)


class Eager(Net):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__(in_features, num_classes)
        self.head = nn.Linear(8, num_classes, device="cpu")


class Blind(Net):
    def forward_features(self, x):
        return self.body(0 * x).tanh()


class Breaks(Net):
    def forward(self, x):
        if float(x.sum()) > 0:
            return self.head(self.forward_features(x))
        return self.head(self.forward_features(x) + 0)


class Random(Net):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__(in_features, num_classes)
        self.noise = torch.Generator()
        self.noise.seed()

    def forward(self, x):
        return super().forward(x) + torch.randn(len(x), 1, generator=self.noise)


class Forgets(Net):
    def __init__(self, in_features=12, num_classes=3):
        super().__init__(in_features, num_classes)
        self.shift = torch.randn(num_classes)

    def forward(self, x):
        return super().forward(x) + self.shift


class Uphill(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr, maximize=True)


class Amnesiac(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr, momentum=0.9)

    def state_dict(self):
        return {**super().state_dict(), "state": {}}


class OneRate(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr)

    def step(self, closure=None):
        for group in self.param_groups[1:]:
            group["lr"] = self.param_groups[0]["lr"]
        return super().step(closure)


class Silent(torch.optim.SGD):
    def step(self, closure=None):
        super().step(closure)


class Negative(torch.optim.lr_scheduler.LambdaLR):
    def __init__(self, optimizer):
        super().__init__(optimizer, lambda step: 1 - step / 10)


class Lost(torch.optim.lr_scheduler.LambdaLR):
    def __init__(self, optimizer):
        super().__init__(optimizer, lambda step: 0.9**step)

    def load_state_dict(self, state):
        pass


class Reversed(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.loss = nn.CrossEntropyLoss(reduction=reduction)

    def forward(self, prediction, target):
        return self.loss(-prediction, target)


class Detached(Reversed):
    def forward(self, prediction, target):
        return self.loss(prediction, target) + self.loss(prediction.detach(), target)


class HalfMean(Reversed):
    def forward(self, prediction, target):
        return self.loss(prediction, target) / (2 if self.loss.reduction == "mean" else 1)


class Naive(Reversed):
    def forward(self, prediction, target):
        p = prediction.exp() / prediction.exp().sum(1, keepdim=True)
        losses = -p[torch.arange(len(p)), target].log()
        return {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[self.loss.reduction]


class Swapped:
    def critic(self, real, fake):
        return fake.negative().exp().mean() + real.exp().mean()

    def generator(self, fake):
        return fake.neg().exp().mean()


class Vector:
    def critic(self, real, fake):
        return (fake - real).square()

    def generator(self, fake):
        return -fake


def zeros(tensor, generator=None):
    with torch.no_grad():
        return tensor.zero_()


def copies(tensor, generator=None):
    return torch.randn_like(tensor)


def counts(tensor, generator=None):
    with torch.no_grad():
        return tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape))


class Grows(nn.Module):
    def forward(self, x):
        return torch.cat([x, x], -1)
"""

CASES = [
    ("activation", "Narrows", "keeps_the_shape"),
    ("activation", "MixesSamples", "samples_stand_alone"),
    ("activation", "WrongGradient", "gradient_is_right"),
    ("activation", "Overflows", "extremes_stay_finite"),
    ("activation", "Widens", "half_precision_is_near"),
    ("norm", "Grows", "keeps_the_batch"),
    ("pool", "Grows", "keeps_the_batch"),
    ("layer", "MixesSamples", "samples_stand_alone"),
    ("layer", "WrongGradient", "gradient_is_right"),
    ("layer", "Widens", "half_precision_is_near"),
    ("network", "Fixed", "shapes_fit"),
    ("network", "Unused", "every_parameter_learns"),
    ("network", "BatchNormed", "samples_stand_alone"),
    ("network", "Eager", "builds_without_memory"),
    ("network", "Net", "has_the_stated_size"),
    ("network", "Blind", "learns_eight_samples"),
    ("network", "Breaks", "compiles"),
    ("network", "Breaks", "exports"),
    ("network", "Random", "seed_decides"),
    ("network", "Forgets", "state_round_trips"),
    ("optimizer", "Uphill", "descends_a_parabola"),
    ("optimizer", "Uphill", "descends_rosenbrock"),
    ("optimizer", "Amnesiac", "state_round_trips"),
    ("optimizer", "OneRate", "groups_stand_alone"),
    ("optimizer", "Silent", "closures_are_called"),
    ("schedule", "Negative", "rates_are_sound"),
    ("schedule", "Lost", "schedule_state_round_trips"),
    ("loss", "Reversed", "target_is_the_minimum"),
    ("loss", "Detached", "gradient_is_right"),
    ("loss", "HalfMean", "reductions_agree"),
    ("loss", "Naive", "extremes_stay_finite"),
    ("gan_loss", "Vector", "gan_losses_are_scalars"),
    ("gan_loss", "Swapped", "gan_sides_pull_apart"),
    ("initializer", "zeros", "fills_in_place"),
    ("initializer", "copies", "fills_in_place"),
    ("initializer", "counts", "seed_decides"),
]


@pytest.fixture(autouse=True)
def broken_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken_things.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("broken_things", None)


@pytest.mark.parametrize(("kind", "thing", "law"), CASES)
def test_a_broken_thing_is_caught(kind: str, thing: str, law: str):
    where = f"broken_things:{thing}"
    card = Card(where, "", kind, where, figures={"parameters": 130, "steps": 100})
    checks = {found.name: found.check for found in laws_for(card)}
    with pytest.raises((AssertionError, RuntimeError)):  # PyTorch's own checks raise RuntimeErrors
        checks[law]()


def test_a_sound_network_of_one_s_own_keeps_the_laws():
    card = Card("broken_things:Net", "", "network", "broken_things:Net", figures={"parameters": 131})
    for law in laws_for(card):
        law.check()


def test_kinds_with_laws_are_those_of_the_catalog():
    unruled = {card.kind for card in catalog().values()} - set(LAWS)
    assert not unruled, f"no law looks at methods of the kinds {sorted(unruled)}"


def test_each_law_says_what_it_claims():
    for checks in LAWS.values():
        assert len({check.__name__ for check in checks}) == len(checks)
        assert all(check.__doc__ for check in checks)

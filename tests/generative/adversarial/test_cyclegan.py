import dataclasses

import pandas as pd
import pytest
import torch
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.prepared import prepare
from torchatlas.data.spec import Dataset, Spec
from torchatlas.engine.errors import UsageError
from torchatlas.generative.adversarial import CycleGAN

SPEC = Spec("table", (2,), "classification", 3, ("left", "middle", "right"), (4, 4, 4))


class Shift(nn.Module):
    def __init__(self, by: float):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x):
        return x + self.by


class Half(nn.Module):
    """A critic that is undecided."""

    def forward(self, x):
        return 0 * x[:, :1] + 0.5


def shifting(there: float, back: float, **options) -> CycleGAN:
    return CycleGAN((Shift(there), Shift(back)), (Half(), Half()), (2,), **options)


def test_exact_inverses_have_no_cycle_loss_and_identities_no_identity_loss():
    a, b = torch.randn(6, 2), torch.randn(6, 2)
    _, told = shifting(2.0, -2.0).loss("generators", (a, b))
    assert told["cycle"] < 1e-6 and told["identity"].item() == pytest.approx(4.0, rel=1e-6)
    _, told = shifting(0.0, 0.0).loss("generators", (a, b))
    assert told["identity"] == 0 and told["cycle"] == 0
    _, told = shifting(2.0, -1.5).loss("generators", (a, b))
    assert told["cycle"].item() == pytest.approx(2 * 0.5, rel=1e-5)


def test_the_generators_terms_have_the_paper_s_weights():
    a, b = torch.randn(6, 2), torch.randn(6, 2)
    loss, _ = shifting(2.0, -1.5).loss("generators", (a, b))
    # least squares 2 (0.5 - 1)², cycle 10 (0.5 + 0.5), identity 5 (2 + 1.5)
    assert loss.item() == pytest.approx(0.5 + 10 * 1.0 + 5 * 3.5, rel=1e-5)
    loss, _ = shifting(2.0, -1.5, cycle=3.0, identity=0.0).loss("generators", (a, b))
    assert loss.item() == pytest.approx(0.5 + 3 * 1.0, rel=1e-5)


def test_an_undecided_critic_loses_a_quarter():
    model = shifting(1.0, 1.0)
    assert model.loss("critics", (torch.randn(4, 2), torch.randn(4, 2))).item() == pytest.approx(2 * 0.25)


def test_each_critic_sees_its_own_side():
    class Watch(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, x):
            self.seen.append(x)
            return x[:, :1]

    model = CycleGAN((Shift(2.0), Shift(-3.0)), (Watch(), Watch()), (2,))
    a, b = torch.randn(5, 2), torch.randn(5, 2)
    loss = model.loss("critics", (a, b))
    expected = torch.zeros(())
    for critic, real, fake in ((model.critic_a, a, b - 3), (model.critic_b, b, a + 2)):
        torch.testing.assert_close(torch.stack(critic.seen), torch.stack([real, fake]))  # the pools fill
        expected = expected + ((real[:, 0] - 1).square().mean() + fake[:, 0].square().mean()) / 2
    torch.testing.assert_close(loss, expected)


def test_the_pools_take_up_what_the_critics_saw_when_their_turn_is_over():
    model = shifting(2.0, -3.0)
    a, b = torch.randn(5, 2), torch.randn(5, 2)
    model.loss("critics", (a, b))
    model.updated("generators", 0)
    assert model.pool_a.held == 0
    model.updated("critics", 0)
    assert model.pool_a.held == 5
    torch.testing.assert_close(model.pool_a.samples[:5], b - 3)
    torch.testing.assert_close(model.pool_b.samples[:5], a + 2)


def test_the_generators_move_first():
    assert CycleGAN.for_data(SPEC).turns(0) == ("generators", "critics")


def blobs(count: int = 300) -> Dataset:
    x = torch.randn(count, 2) * 0.2
    label = torch.arange(count) % 3
    x[:, 0] += label - 1.0
    names = pd.Series([SPEC.classes[k] for k in label])
    return Dataset("blobs", "table", pd.DataFrame(x.numpy(), columns=["u", "v"]), names, "classification")


def test_batches_are_rows_of_the_two_domains():
    prepared = prepare(blobs(), seed=0)
    names = prepared.spec.classes
    model = CycleGAN.for_data(prepared.spec, domains=("right", names.index("left")))
    source = model.source(prepared, 16, 0, "cpu")
    a, b = source.batch(0)
    assert a.shape == b.shape == (16, 2)
    assert a[:, 0].min() > 0.5 and b[:, 0].max() < -0.5  # standardised columns
    assert model.shown[:, 0].min() > 0.5
    held_out = {tuple(row) for row in prepared.valid.x.tolist()}
    assert {tuple(row) for row in model.shown.tolist()} <= held_out


def test_trials_hold_each_row_of_the_domains_once():
    prepared = prepare(blobs(), seed=0)
    model, part = shifting(2.0, -1.5, domains=(0, 2)), prepared.valid
    scores = [model.scores(batch)["cycle_error"] for batch in model.trials(part, 0)]
    assert sum(map(len, scores)) == int((part.y != 1).sum())
    torch.testing.assert_close(torch.cat(scores), torch.full((sum(map(len, scores)),), 0.5))
    only_b = dataclasses.replace(part, x=part.x[part.y == 2], y=part.y[part.y == 2])
    assert [len(model.scores(batch)["cycle_error"]) for batch in model.trials(only_b, 0)] == [len(only_b)]


def test_samples_are_translations_of_the_rows_shown():
    model = shifting(2.0, -2.0)
    model.shown.copy_(torch.arange(128.0).view(64, 2))
    new = model.sample(100).detach()
    assert new.shape == (100, 2)
    assert {tuple(row) for row in (new - 2).tolist()} == {tuple(row) for row in model.shown.tolist()}


@pytest.mark.parametrize("domains", [(0, 0), (0, 5), ("left", "nowhere"), (0, 1, 2)])
def test_domains_that_are_no_two_classes_are_refused(domains):
    with pytest.raises(UsageError, match="class"):
        CycleGAN.for_data(SPEC, domains=domains)


def test_a_target_without_classes_is_refused():
    with pytest.raises(UsageError, match="regression"):
        CycleGAN.for_data(Spec("table", (2,), "regression", 1))


def test_it_learns_a_shift():
    model = CycleGAN.for_data(Spec("table", (1,), "classification", 2), width=8)
    optimizers = {p: torch.optim.Adam(model.owned(p), lr=2e-3, betas=(0.5, 0.999)) for p in model.players}
    for step in range(250):
        batch = torch.randn(64, 1) * 0.3 - 1, torch.randn(64, 1) * 0.3 + 1
        for player in model.turns(step):
            model.requires_grad_(False)
            for parameter in model.owned(player):
                parameter.requires_grad_()
            optimizers[player].zero_grad()
            loss = model.loss(player, batch)
            (loss[0] if isinstance(loss, tuple) else loss).backward()
            optimizers[player].step()
            with torch.no_grad():
                model.updated(player, step)
    x = torch.randn(500, 1) * 0.3 - 1
    with torch.no_grad():
        there = model.to_b(x)
        assert abs(there.mean() - 1) < 0.25
        assert (model.to_a(there) - x).abs().mean() < 0.15


def test_stopped_and_gone_on(tmp_path):
    options = {"width": 2, "blocks": 1, "pool": 10}
    assert_stopped_is_whole(tmp_path, "cyclegan", 6, 3, **options)

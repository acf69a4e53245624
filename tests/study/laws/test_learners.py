"""The laws of learners catch learners that are broken in one way."""

import sys
from pathlib import Path

import pytest

from torchatlas.cards.card import Card
from torchatlas.study.laws import laws_for

BROKEN = """
import torch
import torch.nn.functional as F
from torch import nn

from torchatlas.engine.learner import Learner
from torchatlas.generative.autoencoders import Autoencoder, StackedDenoisingAutoencoder
from torchatlas.generative.variational import VAE, FactorVAE


class Leaks(FactorVAE):
    def loss(self, player, batch):
        loss = super().loss("model", batch)[0]
        return loss + super().loss("critic", batch)[0] if player == "model" else 0 * loss

class NeverComes(StackedDenoisingAutoencoder):
    def turns(self, step):
        return ("all",)

class Moves(Autoencoder):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.register_buffer("seen", torch.zeros(()))

    def loss(self, player, batch):
        self.seen += 1
        loss, told = super().loss(player, batch)
        return loss * self.seen, told

class Averages(Autoencoder):
    def scores(self, batch):
        return {name: score.mean() for name, score in super().scores(batch).items()}

class Mixes(Autoencoder):
    def scores(self, batch):
        scores = super().scores(batch)
        return {name: score - score.mean() for name, score in scores.items()}

class Bright(VAE):
    def decode(self, z):
        return 2 * super().decode(z)

class Logits(StackedDenoisingAutoencoder):
    def predict(self, x):
        return self(x)

class Forgets(Autoencoder):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.shift = torch.rand(())

    def loss(self, player, batch):
        loss, told = super().loss(player, batch)
        return loss + self.shift, told

class Narrows(Autoencoder):
    def loss(self, player, batch):
        loss, told = super().loss(player, batch)
        return loss.float(), told

class HalfDensity(VAE):
    def log_prob(self, x, samples=64):
        return super().log_prob(x, samples) - 0.7
"""

CASES = [
    ("Leaks", "players_move_only_their_own"),
    ("NeverComes", "players_move_only_their_own"),
    ("Moves", "a_turn_can_be_taken_again"),
    ("Averages", "scores_are_per_sample"),
    ("Mixes", "scores_stand_alone"),
    ("Bright", "outputs_have_the_data_s_shape"),
    ("Logits", "outputs_have_the_data_s_shape"),
    ("Forgets", "state_is_parameters_and_buffers"),
    ("Narrows", "double_precision_is_kept"),
    ("HalfDensity", "densities_sum_to_one"),
]


@pytest.mark.parametrize(("thing", "law"), CASES)
def test_a_broken_learner_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thing: str, law: str):
    (tmp_path / "broken_learners.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_learners", raising=False)
    where = f"broken_learners:{thing}"
    checks = {
        found.name: found.check
        for found in laws_for(Card(where, "", "learner", where, tiny={"hidden": (8,)}))
    }
    with pytest.raises((AssertionError, RuntimeError)):
        checks[law]()

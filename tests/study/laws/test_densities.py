"""The laws of densities and diffusions catch formulas that are wrong in one place."""

import pytest
import torch

from torchatlas.cards.reader import find
from torchatlas.generative.diffusion import DDPM, Noising
from torchatlas.generative.flows import Coupling, Flow, Logit, MaskedNorm, Squeeze
from torchatlas.generative.flows.transforms import Transform
from torchatlas.study.laws import laws_for

REAL_NVP, DIFFUSION = find("real_nvp"), find("ddpm")


def laws_broken(card):
    broken = set()
    for law in laws_for(card):
        if law.check.func.__module__.endswith(("densities", "diffusions")):
            try:
                law.check()
            except AssertionError:
                broken.add(law.name)
    return broken


def after(method, change):
    """The method, with what it gives changed."""

    def changed(self, *args):
        return change(method(self, *args), *args)

    return changed


def scaled_log_det(result, *_):
    return result[0], 1.1 * result[1]


def test_flows_and_diffusions_have_laws_of_their_own():
    names = {law.name for law in laws_for(REAL_NVP)}
    assert {"inverse_undoes_the_transform", "players_move_only_their_own"} <= names
    assert "posterior_is_bayes_rule" in {law.name for law in laws_for(DIFFUSION)}
    assert "inverse_undoes_the_transform" not in {law.name for law in laws_for(find("vae"))}


@pytest.mark.parametrize(
    ("part", "word", "change", "laws"),
    [
        (Coupling, "forward", scaled_log_det, {"log_determinant_is_autograd_s", "density_integrates_to_one"}),
        (Coupling, "inverse", lambda r, z: (r[0] + 0.01, r[1]), {"inverse_undoes_the_transform"}),
        (MaskedNorm, "forward", scaled_log_det, {"log_determinant_is_autograd_s"}),
        (Logit, "_log_slopes", lambda r, z: -r, {"log_determinant_is_autograd_s"}),
        (Squeeze, "inverse", lambda r, z: (r[0].flip(2), r[1]), {"inverse_undoes_the_transform"}),
        (Flow, "log_prob", lambda r, x: r - 0.01, {"density_integrates_to_one"}),
        (Flow, "log_prob", lambda r, x: r - r.mean(), {"samples_stand_alone"}),
        (Flow, "sample", lambda r, n: 1.1 * r, {"samples_follow_the_density"}),
    ],
)
def test_a_broken_flow_is_caught(monkeypatch, part, word, change, laws):
    assert issubclass(part, Transform | Flow)
    monkeypatch.setattr(part, word, after(getattr(part, word), change))
    assert laws <= laws_broken(REAL_NVP)


def swapped(process):
    process.from_data, process.from_now = process.from_now, process.from_data


def no_root(process):
    process.signal = process.alpha_bars


def one_late(process):
    process.posterior_variances = process.posterior_variances.roll(1)


@pytest.mark.parametrize(
    ("change", "laws"),
    [
        (swapped, {"posterior_is_bayes_rule", "exact_noise_gives_back_the_data"}),
        (no_root, {"noise_adds_up"}),
        (one_late, {"posterior_is_bayes_rule"}),
    ],
)
def test_a_broken_process_is_caught(monkeypatch, change, laws):
    build = Noising.__init__

    def broken(self, *args):
        build(self, *args)
        change(self)

    monkeypatch.setattr(Noising, "__init__", broken)
    assert laws <= laws_broken(DIFFUSION)


def test_a_broken_step_back_is_caught(monkeypatch):
    def always_noisy(self, now, t, noise):
        spread = self.process.betas[t].sqrt().view(-1, *(1,) * (now.ndim - 1))
        return self._mean_before(now, t) + spread * noise

    monkeypatch.setattr(DDPM, "step_back", always_noisy)
    assert laws_broken(DIFFUSION) == {"the_last_step_adds_no_noise"}
    monkeypatch.setattr(DDPM, "step_back", lambda self, now, t, noise: self._mean_before(now, t))
    assert "exact_noise_gives_back_the_data" in laws_broken(DIFFUSION)


def test_too_little_noise_is_caught(monkeypatch):
    monkeypatch.setattr(
        "torchatlas.generative.diffusion.ddpm.linear_betas", lambda steps: torch.full((steps,), 1e-4)
    )
    assert "begins_with_data_and_ends_in_noise" in laws_broken(DIFFUSION)

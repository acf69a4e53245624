"""Generative models beside diffusers, normflows, zuko and PyTorch's distributions."""

import normflows
import numpy as np
import pytest
import torch
import zuko
from diffusers import DDPMScheduler
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from scipy.special import logsumexp
from torch import distributions as D, nn

from torchatlas import get
from torchatlas.data.spec import Spec
from torchatlas.generative.diffusion import DDPM, Noising, linear_betas
from torchatlas.generative.flows import Coupling, Logit, Squeeze, alternating
from torchatlas.generative.variational import parts
from torchatlas.generative.variational.bounds import Latents, elbo, importance_bound

T = 1000


@pytest.mark.parametrize("variance, kind", [("beta", "fixed_large"), ("posterior", "fixed_small")])
def test_ddpm(same, variance, kind):
    peer = DDPMScheduler(T, 1e-4, 0.02, "linear", variance_type=kind, clip_sample=True, clip_sample_range=1.0)
    process = Noising(linear_betas(T), torch.double)
    name = "diffusers.DDPMScheduler"
    same("ddpm", name, process.betas, peer.betas, 1e-6)
    same("ddpm", name, process.alpha_bars, peer.alphas_cumprod, 1e-5)
    in_doubles(peer)  # the first float32 betas grow to 5e-5 in the last steps back
    x, noise = torch.randn(2, 6, 3, 5, 4, dtype=torch.double)
    t = torch.tensor([0, 1, 17, 500, 998, 999])
    same(
        "ddpm", f"{name} in double precision", process.noised(x, t, noise), peer.add_noise(x, noise, t), 1e-12
    )
    for step in t.tolist():
        guess, now = torch.randn(2, 2, 3, 5, 4, dtype=torch.double)
        model = DDPM(Guess(guess), process, (3, 5, 4), variance, shades=256)
        times, drawn = torch.full((2,), step), torch.Generator().manual_seed(step)
        back = peer.step(guess, step, now, generator=drawn).prev_sample
        again = torch.randn(guess.shape, generator=drawn.manual_seed(step), dtype=torch.double)
        same("ddpm", f"{name} in double precision", model.step_back(now, times, again), back, 1e-10)


def in_doubles(peer):
    """Their tables again, by their own formulas, in double precision."""
    peer.betas = torch.linspace(1e-4, 0.02, T, dtype=torch.double)
    peer.alphas = 1.0 - peer.betas
    peer.alphas_cumprod = peer.alphas.cumprod(0)


class Guess(nn.Module):
    """A network that gives the same noise whatever it sees."""

    def __init__(self, noise):
        super().__init__()
        self.register_buffer("noise", noise)

    def forward(self, x, t):
        return self.noise


def test_posteriors(same):
    mean, log_variance = torch.randn(2, 5, 4, dtype=torch.double) * 2
    ours = parts.DiagonalGaussian(mean, log_variance)
    theirs = D.Independent(D.Normal(mean, (log_variance / 2).exp()), 1)
    normal = D.Independent(D.Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    z = ours.sample(3)
    same(
        "vae",
        "torch.distributions.kl_divergence",
        ours.kl(parts.StandardNormal(4)),
        D.kl_divergence(theirs, normal),
        1e-12,
    )
    same("vae", "torch.distributions.Normal", ours.log_prob(z), theirs.log_prob(z), 1e-12)
    same("vae", "torch.distributions.Normal", parts.StandardNormal(4).log_prob(z), normal.log_prob(z), 1e-12)
    peer = zuko.distributions.DiagNormal(mean, (log_variance / 2).exp())
    same("vae", "zuko.distributions.DiagNormal", ours.log_prob(z), peer.log_prob(z), 1e-12)
    gauss = DiagonalGaussianDistribution(torch.cat([mean, log_variance], 1)[..., None, None])
    kl = "diffusers.models.autoencoders.vae.DiagonalGaussianDistribution"
    both = parts.DiagonalGaussian.from_outputs(torch.cat([mean, log_variance], 1))
    same("vae", kl, both.kl(parts.StandardNormal(4)), gauss.kl(), 1e-12)


def test_likelihoods_and_bounds(same):
    outputs, x = torch.randn(3, 5, 7, dtype=torch.double) * 3, torch.rand(5, 7, dtype=torch.double)
    theirs = D.Bernoulli(logits=outputs, validate_args=False).log_prob(x.expand_as(outputs)).sum(-1)
    same("vae", "torch.distributions.Bernoulli", parts.Bernoulli().log_prob(outputs, x), theirs, 1e-12)
    theirs = D.Normal(outputs, 0.3).log_prob(x).sum(-1)
    same("vae", "torch.distributions.Normal", parts.Gaussian(0.3).log_prob(outputs, x), theirs, 1e-12)
    likelihood, prior, posterior = torch.randn(3, 50, 5, dtype=torch.double) * 40
    latents = Latents(torch.zeros(50, 5, 2), likelihood, prior, posterior, None)
    weights = (likelihood + prior - posterior).numpy()
    same(
        "vae", "scipy.special.logsumexp", importance_bound(latents), logsumexp(weights, 0) - np.log(50), 1e-12
    )
    same("vae", "numpy.mean", elbo(latents), weights.mean(0), 1e-12)


def halves(net, gain, second):
    """The scale or the shift of a coupling as a network of its own."""

    def part(x):
        s, t = net(x).chunk(2, 1)
        return t if second else gain * s.tanh()

    return Called(part)


class Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def rows_flow():
    """Our flow of rows without batch normalisation, its gains away from zero."""
    flow = (
        get("real_nvp")
        .for_data(Spec("table", (5,), "none", 0), couplings=4, hidden=(9,), norm=False)
        .double()
    )
    for step in flow.transforms.steps:
        if isinstance(step, Coupling):
            nn.init.normal_(step.gain)
    return flow


def test_real_nvp_beside_normflows(same):
    flow, x = rows_flow(), torch.rand(8, 5, dtype=torch.double) * 1.4 - 0.2
    z, total = (x - 0.5) / 0.25, torch.full((8,), 5 * np.log(4.0), dtype=torch.double)
    layers = []
    for k, step in enumerate(flow.transforms.steps[1:]):
        assert torch.equal(step.mask, alternating(5, odd=k % 2 == 1))
        nets = (halves(step.net, step.gain, True), halves(step.net, step.gain, False))
        layers.append(normflows.flows.MaskedAffineFlow(step.mask.double(), *nets))
    for layer in layers:
        z, log_det = layer(z)
        total = total + log_det
    base = normflows.distributions.DiagGaussian(5, trainable=False).double()
    name = "normflows.flows.MaskedAffineFlow"
    same("real_nvp", name, flow.transform(x), z, 1e-12)
    same("real_nvp", name, flow.log_prob(x), base.log_prob(z) + total, 1e-12)
    back = z
    for layer in reversed(layers):
        back = layer.inverse(back)[0]
    same("real_nvp", name, flow.inverse(z), back * 0.25 + 0.5, 1e-11)


def test_real_nvp_beside_zuko(same):
    """One coupling; zuko bends large scales, which is undone before it sees them."""
    step, x = rows_flow().transforms.steps[1], torch.randn(6, 5, dtype=torch.double)
    hidden = step.mask == 0
    bend = abs(np.log(1e-6))

    def meta(kept):
        full = torch.zeros(len(kept), 5, dtype=kept.dtype)
        full[:, ~hidden] = kept
        s, t = step.net(full).chunk(2, 1)
        s, t = (step.gain * s.tanh())[:, hidden], t[:, hidden]
        return zuko.transforms.DependentTransform(
            zuko.transforms.MonotonicAffineTransform(t, s / (1 - s.abs() / bend), slope=1e-6), 1
        )

    peer = zuko.transforms.CouplingTransform(meta, ~hidden)
    theirs, log_det = peer.call_and_ladj(x)
    ours, mine = step(x)
    same("real_nvp", "zuko.transforms.CouplingTransform", ours, theirs, 1e-12)
    same("real_nvp", "zuko.transforms.CouplingTransform", mine, log_det, 1e-12)


def test_pieces_of_flows_of_images(same):
    x = torch.rand(3, 1, 6, 4, dtype=torch.double)
    theirs = normflows.flows.Squeeze().inverse(x)[0]
    same("real_nvp", "normflows.flows.Squeeze", Squeeze()(x)[0], theirs, 0)
    ours, peer = Logit(0.05)(x), normflows.transforms.Logit(0.05).inverse(x)
    same("real_nvp", "normflows.transforms.Logit", ours[0], peer[0], 1e-12)
    same("real_nvp", "normflows.transforms.Logit", ours[1], peer[1], 1e-12)

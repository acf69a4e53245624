import pytest
import torch
from torch import nn

from torchatlas.data.spec import Spec
from torchatlas.engine.gradient import Turn
from torchatlas.engine.numerics import Numerics
from torchatlas.generative.adversarial import GAN
from torchatlas.losses.adversarial_pairs import (
    Fisher,
    GradientNormalized,
    McGAN,
    Minimax,
    NonSaturating,
    Relativistic,
    SoftmaxGAN,
    Wasserstein,
    WassersteinGP,
)
from toys import make_loop, same_weights

IMAGE = Spec("image", (1, 4, 4), "none", 0)
TABLE = Spec("table", (2,), "none", 0)


def steps(gan: GAN, x: torch.Tensor, count: int, lr: float = 1e-3) -> None:
    optimizers = {p: torch.optim.Adam(gan.owned(p), lr=lr, betas=(0.5, 0.999)) for p in gan.players}
    for step in range(count):
        for player in gan.turns(step):
            gan.requires_grad_(False)
            for parameter in gan.owned(player):
                parameter.requires_grad_()
            optimizers[player].zero_grad()
            gan.loss(player, (x,)).backward()
            optimizers[player].step()


def test_losses_are_the_pair_s_on_generated_samples():
    for pair in (Minimax(), NonSaturating()):
        gan, x = GAN.for_data(IMAGE, pair=pair, code=3, hidden=8), torch.rand(5, 1, 4, 4)
        torch.manual_seed(2)
        losses = [gan.loss(player, (x,)) for player in ("critic", "critic")]
        assert losses[0] != losses[1]  # fresh noise
        torch.manual_seed(2)
        fake = gan.generator(torch.randn(5, 3))
        assert torch.equal(losses[0], pair.critic(gan.critic(x), gan.critic(fake)))
        torch.manual_seed(2)
        assert torch.equal(gan.loss("generator", (x,)), pair.generator(gan.critic(fake)))


def test_the_critic_moves_first():
    assert GAN.for_data(IMAGE).turns(0) == ("critic", "generator")


def test_images_are_bounded_and_tables_are_not():
    with torch.no_grad():
        for spec, bounded in ((IMAGE, True), (TABLE, False)):
            gan = GAN.for_data(spec, hidden=8)
            last = [m for m in gan.generator.modules() if isinstance(m, nn.Linear)][-1]
            last.weight.mul_(100)
            assert (float(gan.sample(50).abs().max()) <= 1) is bounded
            assert gan.sample(3).shape == (3, *spec.shape)


def test_the_default_pair_does_not_saturate():
    assert isinstance(GAN.for_data(TABLE).pair, NonSaturating)


def test_it_learns_where_the_data_lies():
    x = torch.randn(256, 2) * 0.3 + torch.tensor([2.0, -1.0])
    gan = GAN.for_data(TABLE, code=4, hidden=32)
    steps(gan, x, 400)
    with torch.no_grad():
        centre = gan.sample(1000).mean(0)
    assert (centre - torch.tensor([2.0, -1.0])).abs().max() < 0.3


def turn(gan: GAN, player: str, x: torch.Tensor, optimizer: torch.optim.Optimizer, step: int = 0) -> None:
    optimizer.zero_grad()
    loss = gan.loss(player, (x,))
    (loss[0] if isinstance(loss, tuple) else loss).backward()
    optimizer.step()
    with torch.no_grad():
        gan.updated(player, step)


def test_the_generator_moves_in_each_fifth_step_where_the_pair_asks_for_it():
    gan = GAN.for_data(TABLE, pair=Wasserstein(), hidden=8)
    assert [len(gan.turns(step)) for step in range(10)] == [1, 1, 1, 1, 2, 1, 1, 1, 1, 2]
    assert gan.turns(4) == ("critic", "generator") and gan.turns(5) == ("critic",)


def test_weights_are_cut_after_the_critic_s_steps_alone():
    gan, x = GAN.for_data(TABLE, pair=Wasserstein(0.02), hidden=8), torch.randn(6, 2)
    turn(gan, "generator", x, torch.optim.SGD(gan.owned("generator"), lr=0.1))
    assert max(float(p.detach().abs().max()) for p in gan.owned("critic")) > 0.02
    turn(gan, "critic", x, torch.optim.SGD(gan.owned("critic"), lr=0.1))
    assert max(float(p.detach().abs().max()) for p in gan.owned("critic")) == pytest.approx(0.02)
    assert max(float(p.detach().abs().max()) for p in gan.owned("generator")) > 0.02


def test_the_critic_is_made_for_the_pair():
    for pair, width, bias in (
        (Minimax(), 1, True),
        (Wasserstein(), 1, False),
        (McGAN("both", width=5), 5, True),
    ):
        head = GAN.for_data(IMAGE, pair=pair, hidden=8).critic.head
        assert head.out_features == width and (head.bias is not None) is bias


def test_penalties_are_added_and_told():
    gan, x = GAN.for_data(IMAGE, pair=WassersteinGP(), code=3, hidden=8), torch.rand(5, 1, 4, 4)
    torch.manual_seed(2)
    loss, told = gan.loss("critic", (x,))
    torch.manual_seed(2)
    fake = gan.generator(torch.randn(5, 3))
    plain = gan.pair.critic(gan.critic(x), gan.critic(fake))
    penalty = gan.pair.penalty(gan.critic, x, fake)
    torch.testing.assert_close(loss, plain + penalty)
    torch.testing.assert_close(told["penalty"], penalty)
    assert not isinstance(gan.loss("generator", (x,)), tuple)


def test_generators_that_compare_are_told_the_real_logits():
    gan, x = GAN.for_data(IMAGE, pair=Relativistic(), code=3, hidden=8), torch.rand(5, 1, 4, 4)
    torch.manual_seed(2)
    loss = gan.loss("generator", (x,))
    torch.manual_seed(2)
    fake = gan.generator(torch.randn(5, 3))
    assert torch.equal(loss, gan.pair.generator(gan.critic(fake), gan.critic(x)))


def test_a_pair_that_normalises_is_asked_for_all_logits():
    gan, x = GAN.for_data(IMAGE, pair=GradientNormalized(), code=3, hidden=8), torch.rand(5, 1, 4, 4)
    assert not torch.allclose(gan.logits(x), gan.critic(x))
    gan.loss("generator", (x,)).backward()
    assert all(p.grad is not None and p.grad.any() for p in gan.owned("generator"))


def test_pairs_that_judge_batches_as_a_whole_are_not_cut():
    assert "judge all samples" in GAN.for_data(TABLE, pair=SoftmaxGAN(), hidden=8).indivisible()
    assert GAN.for_data(TABLE, pair=Relativistic(), hidden=8).indivisible() == ""


def test_the_fisher_multiplier_is_in_the_state_and_moves():
    gan, x = GAN.for_data(TABLE, pair=Fisher(rho=0.1), hidden=8), torch.randn(6, 2)
    turn(gan, "critic", x, torch.optim.SGD(gan.owned("critic"), lr=0.1))
    assert gan.state_dict()["pair.multiplier"] != 0


@pytest.mark.parametrize("kind", [Wasserstein, WassersteinGP, Fisher, GradientNormalized])
def test_stopped_and_resumed_it_ends_in_the_same_bits(tmp_path, kind):
    def made() -> GAN:
        return GAN.for_data(Spec("table", (20,), "none", 0), pair=kind(), code=4, hidden=8)

    plan = {"kind": made, "save_every_steps": 7, "ema": 0.9, "lr": 1e-3, "steps": 20}
    whole = make_loop(tmp_path / "whole", **plan)
    whole.run()
    make_loop(tmp_path / "broken", **{**plan, "steps": 11}).run()
    broken = make_loop(tmp_path / "broken", **plan)
    assert broken.resume() and broken.step == 11
    broken.run()
    assert same_weights(whole.learner, broken.learner) and same_weights(whole.average, broken.average)


@pytest.mark.parametrize("kind", [WassersteinGP, GradientNormalized])
def test_a_slope_is_learned_from_under_autocast_and_compiled(kind):
    gan, x = GAN.for_data(TABLE, pair=kind(), code=3, hidden=8), torch.randn(16, 2)
    losses = {}
    for word in ("exact", "bfloat16", "compiled"):
        numerics = Numerics.parse("exact" if word == "compiled" else word)
        step = Turn(gan, "critic", numerics)
        if word == "compiled":
            torch.compiler.reset()
            step = torch.compile(step, backend="aot_eager")
        gan.zero_grad()
        torch.manual_seed(3)
        loss = step((x,))
        loss = loss[0] if isinstance(loss, tuple) else loss
        loss.backward()
        losses[word] = torch.cat([loss.detach()[None], *(p.grad.flatten() for p in gan.owned("critic"))])
    torch.testing.assert_close(losses["compiled"], losses["exact"], rtol=1e-4, atol=1e-5)
    assert (losses["bfloat16"] - losses["exact"]).abs().max() < 0.05 * losses["exact"].abs().max()

import torch
from torch import nn

from torchatlas.data.spec import Spec
from torchatlas.generative.adversarial import GAN
from torchatlas.losses.adversarial_pairs import Minimax, NonSaturating

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

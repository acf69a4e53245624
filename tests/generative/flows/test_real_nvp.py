import math

import numpy as np
import pytest
import torch

from stopping import assert_stopped_is_whole
from torchatlas.data import open_dataset
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.generative.flows import Coupling, MaskedNorm, RealNVP


def table(columns):
    return Spec("table", (columns,), "none", 0)


def lively(flow):
    """In evaluation, with every parameter and average moved: a flow just built is nearly the identity."""
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for norm in flow.modules():
            if isinstance(norm, MaskedNorm):
                norm.mean.normal_()
                norm.variance.uniform_(0.5, 2)
    return flow.double().eval()


def by_hand(flow, x):
    """The log-density of rows by the paper's formulas, in NumPy."""
    z, log_det = (x - 0.5) / 0.25, -len(x[0]) * math.log(0.25)
    couplings = [m for m in flow.modules() if isinstance(m, Coupling)]
    norms = [m for m in flow.modules() if isinstance(m, MaskedNorm)]
    for k, (coupling, norm) in enumerate(zip(couplings, norms, strict=True)):
        kept = np.arange(len(x[0])) % 2 == k % 2
        w1, b1, w2, b2 = (p.detach().numpy() for p in coupling.net.parameters())
        out = np.maximum((z * kept) @ w1.T + b1, 0) @ w2.T + b2
        s = coupling.gain.detach().numpy() * np.tanh(out[:, : len(x[0])])
        moved = z * np.exp(s) + out[:, len(x[0]) :]
        mean, variance = norm.mean.numpy(), norm.variance.numpy() + 1e-5
        z = np.where(kept, z, (moved - mean) / np.sqrt(variance))
        log_det = log_det + np.where(kept, 0, s - np.log(variance) / 2).sum(1)
    return log_det - (z**2 + math.log(2 * math.pi)).sum(1) / 2


@pytest.mark.parametrize("columns", [2, 5])
def test_log_density_of_rows_is_the_paper_s_formula(columns):
    flow = lively(RealNVP.for_data(table(columns), couplings=3, hidden=(6,)))
    x = torch.rand(7, columns, dtype=torch.double)
    got = flow.log_prob(x).detach().numpy()
    np.testing.assert_allclose(got, by_hand(flow, x.numpy()), atol=1e-10)


@pytest.mark.parametrize(
    ("shape", "masks"),
    [
        ((1, 8, 8), [(1, 8, 8)] * 3 + [(4, 4, 4)] * 3 + [(2, 4, 4)] * 4),
        ((1, 4, 4), [(1, 4, 4)] * 4),
        ((3, 7, 8), [(3, 7, 8)] * 4),
        (
            (1, 28, 28),
            [(1, 28, 28)] * 3 + [(4, 14, 14)] * 3 + [(2, 14, 14)] * 3 + [(8, 7, 7)] * 3 + [(4, 7, 7)] * 4,
        ),
    ],
)
def test_scales_of_images(shape, masks):
    flow = RealNVP.for_data(Spec("image", shape, "none", 0), width=4, blocks=1)
    couplings = [m for m in flow.modules() if isinstance(m, Coupling)]
    assert [tuple(c.mask.shape) for c in couplings] == masks
    assert flow.transform(torch.rand(2, *shape)).shape == (2, math.prod(shape))
    assert flow.sample(3).shape == (3, *shape)


def test_couplings_of_digits_are_the_paper_s():
    flow = RealNVP.for_data(Spec("image", (1, 8, 8), "none", 0), width=4, blocks=1)
    couplings = [m for m in flow.modules() if isinstance(m, Coupling)]
    first_pixel = [int(c.mask[0, 0, 0]) for c in couplings]
    # boards 1, 0, 1; then the second half of the channels moves by the first, the first by it, the second
    assert first_pixel == [1, 0, 1, 1, 0, 1, 1, 0, 1, 0]
    assert [c.net.stem.out_channels for c in couplings] == [4] * 3 + [8] * 3 + [8] * 4
    assert all((c.gain == 0).all() for c in couplings)


def test_every_pixel_has_to_do_with_its_neighbours():
    flow = lively(RealNVP.for_data(Spec("image", (1, 8, 8), "none", 0), width=4, blocks=1))
    u = torch.rand(1, 8, 8, dtype=torch.double)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow.transforms(x[None])[0][0], u)
    depends = jacobian.reshape(64, 64) != 0
    assert (depends.sum(1) > 20).all(), "a value of the noise sees too little of the image"
    assert (depends.sum(0) > 20).all()


def test_one_column_is_refused():
    with pytest.raises(UsageError, match="one column"):
        RealNVP.for_data(table(1))


def test_it_learns_two_moons_better_than_a_normal_density():
    points = torch.tensor(open_dataset("two_moons").inputs.to_numpy(), dtype=torch.float32)[:1500]
    x = (points - points.amin(0)) / (points.amax(0) - points.amin(0))
    normal = float(torch.logdet(torch.cov(x.mT)) / 2 + 1 + math.log(2 * math.pi))
    flow = RealNVP.for_data(table(2), couplings=6, hidden=(32, 32))
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.005)
    for step in range(150):
        optimizer.zero_grad()
        flow.loss("all", (x[:1000].roll(-100 * step, 0)[:200],)).backward()
        optimizer.step()
    assert float(flow.eval().loss("all", (x[1000:],)).detach()) < normal - 0.5


def test_stopped_and_gone_on_with_it_ends_in_the_same_bytes(tmp_path):
    options = {"width": 4, "blocks": 1, "batch_size": 300}
    assert_stopped_is_whole(tmp_path, "real_nvp", steps=5, at=2, ema=0.9, micro=2, **options)

import math

import numpy as np
import pytest
import torch

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.generative.autoencoders import Autoencoder

IMAGE = Spec("image", (1, 4, 4), "none", 0)
TABLE = Spec("table", (5,), "none", 0)


def test_images_are_scored_by_cross_entropy_summed_over_values():
    model, x = (
        Autoencoder.for_data(IMAGE, code=2, hidden=8).double(),
        torch.rand(3, 1, 4, 4, dtype=torch.double),
    )
    with torch.no_grad():
        scores, z = model.scores((x,)), model.reconstruct(x).flatten(1).tolist()
    for k, (out, row) in enumerate(zip(z, x.flatten(1).tolist(), strict=True)):
        expected = -sum(v * math.log(o) + (1 - v) * math.log(1 - o) for o, v in zip(out, row, strict=True))
        assert scores["loss"][k].item() == pytest.approx(expected, rel=1e-9)
        squares = sum((o - v) ** 2 for o, v in zip(out, row, strict=True)) / 16
        assert scores["squared_error"][k].item() == pytest.approx(squares, rel=1e-9)
    assert model.loss("all", (x,))[0].item() == pytest.approx(scores["loss"].mean().item())


def test_tables_are_scored_by_the_squared_error():
    model, x = Autoencoder.for_data(TABLE, code=2), torch.randn(6, 5)
    expected = (model.reconstruct(x) - x).square().sum(1)
    torch.testing.assert_close(model.scores((x,))["loss"], expected)


@pytest.mark.parametrize("spec", [IMAGE, TABLE])
def test_shapes(spec):
    model, x = Autoencoder.for_data(spec, code=3, hidden=(8, 6)), torch.rand(4, *spec.shape)
    assert model.transform(x).shape == (4, 3)
    assert model.reconstruct(x).shape == x.shape
    wide = math.prod(spec.shape)
    widths = [p.shape[0] for p in model.parameters() if p.ndim == 2]
    assert widths == [8, 6, 3, 6, 8, wide]


def test_affine_maps_find_the_principal_components():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(200, 5)) * [3, 2, 1, 0.5, 0.2] @ basis.T)
    x = x - x.mean(0)
    model = Autoencoder.for_data(TABLE, code=2, hidden=()).double()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = model.loss("all", (x,))[0]
        loss.backward()
        return loss

    optimizer.step(closure)
    variances, axes = np.linalg.eigh(np.cov(x.numpy().T, bias=True))  # ascending
    assert closure().item() == pytest.approx(variances[:3].sum(), rel=1e-3)
    span = np.linalg.qr(model.decoder.head.weight.detach().numpy())[0]
    overlap = np.linalg.svd(span.T @ axes[:, 3:], compute_uv=False)
    assert overlap.min() > 0.999


def test_stopped_and_gone_on(tmp_path):
    assert_stopped_is_whole(tmp_path, "autoencoder", 6, 3, hidden=8)

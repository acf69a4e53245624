import pytest
import torch

from torchatlas import create

X = torch.randn(5, 4, 3, 2, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 3 + 1


def standard(x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5) -> torch.Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred / ((centred**2).mean(dims, keepdim=True) + eps) ** 0.5


def test_local_response_divides_alpha_by_the_size():
    channels = torch.tensor([1.0, 2.0, 3.0], dtype=torch.double).reshape(1, 3, 1, 1)
    got = create("lrn", size=3, alpha=1.0, beta=1.0, k=1.0)(channels).flatten()
    assert got.tolist() == pytest.approx([0.375, 0.352941, 0.5625], abs=5e-7)


def test_local_response_gives_alexnets_form_as_the_card_says():
    x = X[:1].repeat(1, 2, 1, 1)
    got = create("lrn", size=5, alpha=5e-4, k=2.0)(x)
    for c in range(8):
        energy = (x[:, max(c - 2, 0) : c + 3] ** 2).sum(1)
        assert torch.allclose(got[:, c], x[:, c] / (2 + 1e-4 * energy) ** 0.75)


@pytest.mark.parametrize("name", ["batch_norm", "sync_batch_norm"])
def test_batch_norm_uses_the_biased_variance_and_keeps_the_unbiased(name):
    norm = create(name, num_features=4).double()
    assert torch.allclose(norm(X), standard(X, (0, 2, 3)))
    count = 5 * 3 * 2
    unbiased = ((X - X.mean((0, 2, 3), keepdim=True)) ** 2).sum((0, 2, 3)) / (count - 1)
    assert torch.allclose(norm.running_var, 0.9 + 0.1 * unbiased)
    assert torch.allclose(norm.running_mean, 0.1 * X.mean((0, 2, 3)))


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("layer_norm", {"normalized_shape": (4, 3, 2)}, standard(X, (1, 2, 3))),
        ("instance_norm", {"num_features": 4}, standard(X, (2, 3))),
        ("group_norm", {"num_groups": 1, "num_channels": 4}, standard(X, (1, 2, 3))),
        ("group_norm", {"num_groups": 4, "num_channels": 4}, standard(X, (2, 3))),
        (
            "group_norm",
            {"num_groups": 2, "num_channels": 4},
            standard(X.reshape(5, 2, 2, 3, 2), (2, 3, 4)).reshape(X.shape),
        ),
    ],
)
def test_statistics_run_over_the_said_dimensions(name, options, expected):
    assert torch.allclose(create(name, **options).double()(X), expected)


def test_rms_norm_has_no_mean_and_no_bias():
    norm = create("rms_norm", normalized_shape=2).double()
    eps = torch.finfo(torch.double).eps
    assert torch.allclose(norm(X), X / ((X**2).mean(-1, keepdim=True) + eps) ** 0.5)
    assert len(list(norm.parameters())) == 1

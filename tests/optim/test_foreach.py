import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.optim import foreach
from torchatlas.optim.foreach import bites, off_one

OURS = ("lamb", "sm3", "sm3_i", "lars", "novograd", "lion", "adax", "adaxw", "amos", "funnelled_sgdm")
COUNTING = ("lamb", "adax", "amos")


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("name", OURS)
def test_sparse_and_complex_gradients_are_refused_in_words(name):
    for word, weight in (("sparse", torch.ones(3, 2)), ("complex", torch.ones(2, dtype=torch.cfloat))):
        weight = torch.nn.Parameter(weight)
        weight.grad = torch.ones(3, 2).to_sparse() if word == "sparse" else torch.ones_like(weight)
        with pytest.raises(UsageError, match=rf"no {word} gradients.*use "):
            create(name, [weight]).step()


@pytest.mark.parametrize("name", OURS)
def test_empty_weights_and_mixed_types_walk_together(name):
    weights = [
        torch.nn.Parameter(torch.ones(n, dtype=t)) for n in (0, 3) for t in (torch.float, torch.double)
    ]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    create(name, weights, lr=0.1).step()
    torch.testing.assert_close(weights[2].double(), weights[3].data, check_dtype=False)
    assert (weights[3] < 1).all()


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("options", [{"lr": -0.1}, {"lr": float("nan")}])
def test_options_out_of_range_are_refused(name, options):
    with pytest.raises(UsageError, match="lr must be at least 0"):
        create(name, [torch.nn.Parameter(torch.ones(1))], **options)


def walked(name, weights, steps=3, compiled=False, **options):
    """Where weights go by gradients that follow from where they are."""
    params = [torch.nn.Parameter(weight.clone()) for weight in weights]
    optimizer = create(name, params, **{"lr": 0.1} | options)
    step = torch.compile(optimizer.step, backend="aot_eager") if compiled else optimizer.step
    for k in range(steps):
        for param in params:
            param.grad = param.detach() + k
        step()
    return [param.detach() for param in params]


@pytest.mark.parametrize("name", OURS)
def test_compiled_steps_are_the_eager_ones(name):
    weights = [torch.linspace(-1, 1, 6).reshape(2, 3), torch.ones(2)]
    for eager, other in zip(walked(name, weights), walked(name, weights, compiled=True), strict=True):
        torch.testing.assert_close(eager, other)


@pytest.mark.parametrize("dtype", [torch.float, torch.double, torch.bfloat16])
@pytest.mark.parametrize("name", COUNTING)
def test_counts_on_a_device_give_the_same_steps(name, dtype, monkeypatch):
    """There the corrections are tensors; compiling takes the same way."""
    weights = [torch.linspace(-1, 1, 6, dtype=dtype).reshape(2, 3), torch.ones((), dtype=dtype)]
    plain = walked(name, weights)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    for other, expected in zip(walked(name, weights, capturable=True), plain, strict=True):
        torch.testing.assert_close(other, expected, rtol=0.02 if dtype is torch.bfloat16 else 1e-5, atol=1e-5)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_large_tensors_walk_in_pieces_as_they_would_whole(name, form, monkeypatch):
    monkeypatch.setattr(foreach, "GRAIN", 16)
    draw = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(shape, generator=draw, dtype=torch.double)
        for shape in ((8, 6, 5, 4), (3,), (40, 30), (2, 3, 1, 1), ())
    ]
    weights = [w.to(memory_format=form) if w.ndim == 4 else w for w in weights]
    pieces = walked(name, weights)
    monkeypatch.setattr(foreach, "GRAIN", 10**9)
    for cut, whole in zip(pieces, walked(name, weights), strict=True):
        torch.testing.assert_close(cut, whole, rtol=1e-12, atol=1e-12)


def test_bites_hold_every_number_once(monkeypatch):
    monkeypatch.setattr(foreach, "GRAIN", 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    weights = [torch.zeros(n) for n in (3, 50, 4, 5, 16)] + [torch.zeros(6, 7).mT]
    others = [torch.ones_like(weight) for weight in weights]
    factors = [torch.tensor(k) for k in range(5)] + [5.0]
    sizes = []
    for w, o, f in bites(weights, others, factors):
        sizes.append(sum(x.numel() for x in w))
        torch._foreach_add_(w, o)
        assert all(len(some) == len(w) for some in (o, f))
        for x, factor in zip(w, f, strict=True):
            x.mul_(1 + factor)
    assert all((weight == 1 + k).all() for k, weight in enumerate(weights))
    assert max(sizes[:-1]) < 3 * 8 and sizes[-1] >= 42  # what cannot be cut goes whole


def test_views_that_differ_in_order_are_not_cut(monkeypatch):
    """A piece of memory of each would pair numbers that do not belong together."""
    monkeypatch.setattr(foreach, "GRAIN", 8)
    weight = torch.nn.Parameter(torch.arange(300.0).reshape(5, 3, 4, 5))
    weight.grad = weight.detach().to(memory_format=torch.channels_last)
    create("lion", [weight], lr=1.0).step()
    assert torch.equal(
        weight, torch.arange(300.0).reshape(5, 3, 4, 5) - torch.arange(300).sign().reshape(5, 3, 4, 5)
    )


@pytest.mark.parametrize("base", [0.0, 0.5, 0.999, 1.0001, 3.0])
def test_off_one_is_the_distance_from_one(base, monkeypatch):
    counts = [torch.tensor(float(t)) for t in (1, 2, 10)]
    expected = [abs(1 - base**t) for t in (1, 2, 10)]
    assert off_one(base, counts) == pytest.approx(expected, rel=1e-9)
    assert off_one(1.5, [torch.tensor(1e6)])[0] > 1e300
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert [x.item() for x in off_one(base, counts)] == pytest.approx(expected, rel=1e-5)

import pytest
import torch

from torchatlas import create
from torchatlas.engine.errors import UsageError

OURS = ("lamb", "sm3", "sm3_i")


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


@pytest.mark.parametrize("name", OURS)
def test_compiled_steps_are_the_eager_ones(name):
    walks = []
    for compiled in (False, True):
        weights = [
            torch.nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3)),
            torch.nn.Parameter(torch.ones(2)),
        ]
        optimizer = create(name, weights, lr=0.1)
        step = torch.compile(optimizer.step, backend="aot_eager") if compiled else optimizer.step
        for k in range(3):
            for weight in weights:
                weight.grad = weight.detach() + k
            step()
        walks.append(weights)
    for eager, other in zip(*walks, strict=True):
        torch.testing.assert_close(eager, other)

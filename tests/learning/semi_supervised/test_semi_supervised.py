import numpy as np
import pytest
import torch

from torchatlas.data.prepared import prepare
from torchatlas.data.spec import Dataset, Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.semi_supervised import FixMatch, MeanTeacher

both = pytest.mark.parametrize("kind", [FixMatch, MeanTeacher])


def prepared(weight=None, **more):
    images = np.random.default_rng(0).integers(0, 256, (90, 8, 8, 1), dtype=np.uint8)
    made = Dataset(
        "small", "image", images, np.arange(90) % 3, "classification", ("a", "b", "c"), weight=weight
    )
    return prepare(made, seed=0, **more)


@both
def test_batches_hold_labelled_and_unlabelled_rows(kind):
    data = prepared(labels=9)
    source = kind.for_data(data.spec, ratio=3).source(data, 4, 0, "cpu")
    x, y, u = source.batch(0)
    assert x.shape == (4, 1, 8, 8) and u.shape == (12, 1, 8, 8)
    for image, label in zip(x, y, strict=True):
        row = (data.train.x == image).flatten(1).all(1).nonzero().item()
        assert data.train.y[row] == label
    assert source.steps_per_epoch == -(-len(data.unlabelled) // 12)
    shown = {
        tuple(image.flatten().tolist()) for k in range(source.steps_per_epoch) for image in source.batch(k)[2]
    }
    assert len(shown) == len(data.unlabelled)


@both
def test_what_it_cannot_learn_from_is_told(kind):
    with pytest.raises(UsageError, match="--set labels=250"):
        data = prepared()
        kind.for_data(data.spec).source(data, 4, 0, "cpu")
    with pytest.raises(UsageError, match="no sample weights"):
        data = prepared(labels=9, weight=np.ones(90))
        kind.for_data(data.spec).source(data, 4, 0, "cpu")
    with pytest.raises(UsageError, match="regression"):
        kind.for_data(Spec("table", (4,), "regression", 1))
    with pytest.raises(UsageError, match="ratio=0"):
        kind.for_data(Spec("table", (4,), "classification", 3), ratio=0)


@both
def test_micro_batches_have_the_gradient_of_the_whole(kind):
    torch.manual_seed(0)
    spec = Spec("table", (5,), "classification", 3)
    quiet = {"augment": ()} if kind is MeanTeacher else {"strong": (), "threshold": 0.3}
    one = kind.for_data(spec, ratio=2, **quiet).double()
    x, u = (torch.randn(n, 5, dtype=torch.double) for n in (8, 16))
    batch = (x, torch.arange(8) % 3, u)
    whole = one.loss("all", batch)[0]
    halves = zip(*(part.chunk(2) for part in batch), strict=True)
    torch.testing.assert_close(sum(one.loss("all", half)[0] for half in halves) / 2, whole)

import pytest
import torch

from torchatlas.cards.reader import get
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.learning.supervised import CapsNet
from torchatlas.networks.convolutional import NiN

SMALL = Spec("image", (1, 6, 7), "classification", 3)
X = torch.rand(4, 1, 6, 7, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([2, 0, 1, 1])


@pytest.fixture
def learner():
    torch.manual_seed(0)
    return CapsNet.for_data(SMALL, hidden=(5, 6), reconstruction=0.3)


def drawn(learner, vectors, classes):
    """The decoder by hand, on capsules of which one is kept."""
    seen = torch.zeros(len(vectors), 3, 16)
    for row, k in enumerate(classes):
        seen[row, k] = vectors[row, k]
    w1, b1, w2, b2, w3, b3 = learner.decoder.state_dict().values()
    h = ((seen.flatten(1) @ w1.T + b1).clamp(min=0) @ w2.T + b2).clamp(min=0)
    return 1 / (1 + (-(h @ w3.T + b3)).exp())


def test_the_loss_is_the_margin_and_the_drawing_s_error(learner):
    vectors = learner.network.capsules(X).detach()
    rows = []
    for row, picture in enumerate(drawn(learner, vectors, Y.tolist())):
        scores = vectors[row].norm(dim=1).tolist()
        margin = sum(
            max(0, 0.9 - s) ** 2 if k == Y[row] else 0.5 * max(0, s - 0.1) ** 2 for k, s in enumerate(scores)
        )
        rows.append(margin + 0.3 * float(((picture - X[row].flatten()) ** 2).sum()))
    assert learner.loss("all", (X, Y)).item() == pytest.approx(sum(rows) / 4, rel=1e-5)
    weight = torch.tensor([1.0, 0.0, 2.0, 3.0])
    weighed = sum(w * r for w, r in zip(weight.tolist(), rows, strict=True)) / 6
    assert learner.loss("all", (X, Y, weight)).item() == pytest.approx(weighed, rel=1e-5)
    assert learner.scores((X, Y))["loss"].shape == (4,)


def test_the_longest_capsule_is_drawn_where_no_class_is_said(learner):
    vectors = learner.network.capsules(X).detach()
    longest = vectors.norm(dim=2).argmax(1).tolist()
    torch.testing.assert_close(learner.reconstruct(X).flatten(1), drawn(learner, vectors, longest))
    torch.testing.assert_close(learner.reconstruct(X, Y).flatten(1), drawn(learner, vectors, Y.tolist()))
    assert learner.reconstruct(X).shape == X.shape
    torch.testing.assert_close(learner.predict(X).argmax(1), vectors.norm(dim=2).argmax(1))


def test_it_has_the_paper_s_size():
    with torch.device("meta"):
        learner = get("capsnet").for_data(Spec("image", (1, 28, 28), "classification", 10))
    assert sum(p.numel() for p in learner.parameters()) == 8_215_568
    assert learner.reconstruction == 0.0005
    assert learner.scaling == "unit"


@pytest.mark.parametrize(
    ("spec", "backbone", "said"),
    [
        (Spec("image", (1, 6, 7), "regression", 1), "capsule_network", "regression"),
        (Spec("table", (4,), "classification", 3), "capsule_network", "takes images"),
        (Spec("image", (1, 32, 32), "classification", 3), NiN, "has no capsules"),
    ],
)
def test_what_does_not_fit_is_refused(spec, backbone, said):
    with pytest.raises(UsageError, match=said):
        CapsNet.for_data(spec, backbone)

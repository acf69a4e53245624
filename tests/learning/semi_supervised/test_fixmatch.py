import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.learning.semi_supervised import FixMatch

IMAGE = Spec("image", (1, 8, 8), "classification", 3)
WEAK, STRONG = np.array([0.5, 0.0, 0.0]), np.array([0.0, 0.0, 2.0])  # what is added


class Add(nn.Module):
    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, x):
        return x + self.amount


def learner(**options) -> FixMatch:
    """On rows that are logits themselves: the network is the identity times a weight of one."""
    net = nn.Linear(3, 3, bias=False).double()
    with torch.no_grad():
        net.weight.copy_(torch.eye(3))
    return FixMatch(net, Add(torch.tensor(WEAK)), Add(torch.tensor(STRONG)), **options)


X = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.5, 3.0]], dtype=torch.double)
Y = torch.tensor([1, 0])
U = torch.tensor([[9.0, 0, 0], [1.0, 0, 0], [0, 1.0, 1.0], [0, 2.0, 0]], dtype=torch.double)


def cross_entropy(logits, label):
    return float(np.log(np.exp(logits).sum()) - logits[label])


def test_only_the_sure_rows_count_and_all_rows_divide():
    loss, told = learner(ratio=2, threshold=0.95, weight=3.0).loss("all", (X, Y, U))
    mild, heavy = U.numpy() + WEAK, U.numpy() + STRONG
    sure = (np.exp(mild) / np.exp(mild).sum(1, keepdims=True)).max(1)
    assert (sure >= 0.95).tolist() == [True, False, False, False]
    consistency = cross_entropy(heavy[0], 0) / 4
    supervised = np.mean([cross_entropy(x, y) for x, y in zip(X.numpy() + WEAK, Y.tolist(), strict=True)])
    np.testing.assert_allclose(told["kept"].item(), 0.25)
    np.testing.assert_allclose(told["consistency"].item(), consistency, rtol=1e-6)
    np.testing.assert_allclose(loss.item(), supervised + 3 * consistency, rtol=1e-6)


def test_rows_below_the_threshold_change_nothing_and_a_threshold_above_one_keeps_none():
    one, other = learner(), U.clone()
    other[1] += 0.2
    assert torch.equal(one.loss("all", (X, Y, U))[0], one.loss("all", (X, Y, other))[0])
    _, told = learner(threshold=1.1).loss("all", (X, Y, U))
    assert told["consistency"] == 0 and told["kept"] == 0


def test_pseudo_labels_take_no_gradient():
    one = learner(threshold=0.4)
    _, told = one.loss("all", (X, Y, U))
    told["consistency"].backward()
    guess = (U + one.weak.amount).argmax(1)
    kept = (U + one.weak.amount).softmax(1).max(1).values >= 0.4
    weight = one.network.weight.detach().clone().requires_grad_()
    each = F.cross_entropy((U + one.strong.amount) @ weight.T, guess, reduction="none")
    (each * kept).mean().backward()
    torch.testing.assert_close(one.network.weight.grad, weight.grad)


def test_usual_changes_are_those_of_the_data_and_can_be_chosen():
    names = [type(m).__name__ for m in FixMatch.for_data(IMAGE).strong]
    assert names == ["RandomShift", "RandAugment", "Cutout"]
    own = FixMatch.for_data(IMAGE, weak=("random_flip", "random_shift"), strong="cutout")
    assert [type(m).__name__ for m in own.weak] == ["RandomFlip", "RandomShift"] and len(own.strong) == 1
    table = FixMatch.for_data(Spec("table", (4,), "classification", 3))
    assert len(table.weak) == 0 and len(table.strong) == 1


@pytest.mark.parametrize("at", [2, 5])
def test_stopped_and_gone_on(tmp_path, at):
    assert_stopped_is_whole(tmp_path, "fixmatch", 8, at, labels=60, batch_size=8, ratio=2, validate_every=4)

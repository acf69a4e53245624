import pytest
import torch
import torch.nn.functional as F

from torchatlas import create
from torchatlas.engine.errors import UsageError
from torchatlas.losses.masks.mask_loss import cross_entropy, members, probabilities, ratio


def test_one_score_is_read_by_the_sigmoid_and_several_by_the_softmax():
    scores = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(probabilities(scores), F.softmax(scores, 1))
    torch.testing.assert_close(probabilities(scores[:, :1]), torch.sigmoid(scores[:, :1]))
    truth = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 1]])
    torch.testing.assert_close(cross_entropy(scores, truth), F.cross_entropy(scores, truth, reduction="none"))
    both = F.binary_cross_entropy_with_logits(scores[:, 0], truth.float(), reduction="none")
    torch.testing.assert_close(cross_entropy(scores[:, :1], truth), both)


def test_members_are_one_hot_and_class_one_of_a_mask():
    truth = torch.tensor([[0, 2], [1, 0]])
    assert torch.equal(members(truth, 3), F.one_hot(truth, 3).movedim(-1, 1).bool())
    assert members(truth, 1).tolist() == [[[False, False]], [[True, False]]]


def test_nothing_of_nothing_is_said_to_be_what_it_is():
    whole = torch.zeros(2, requires_grad=True)
    value = ratio(whole + torch.tensor([0.0, 1.0]), whole, 0.25)
    assert value.tolist() == [0.25, 0.25] and torch.autograd.grad(value.sum(), whole)[0].tolist() == [0, 0]


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_half_precision_is_worked_out_in_single(kind):
    scores = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)).to(kind)
    truth = torch.randint(0, 3, (1, 8, 8), generator=torch.Generator().manual_seed(1))
    loss = create("dice_loss")(scores, truth)
    assert loss.dtype == (torch.float64 if kind == torch.float64 else torch.float32)
    torch.testing.assert_close(loss, create("dice_loss")(scores.to(loss.dtype), truth))


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.bool])
def test_any_whole_numbers_do(kind):
    scores = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    truth = torch.randint(0, 2, (1, 8, 8), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        create("dice_loss")(scores, truth.to(kind)), create("dice_loss")(scores, truth), check_dtype=False
    )


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        (torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long)),
        (torch.zeros(2, 1, 4), torch.zeros(2, 1, 4, dtype=torch.long)),
        (torch.zeros(2, 3, 4), torch.zeros(2, 4)),
        (torch.zeros(2, 3), torch.zeros(2, dtype=torch.long)),
    ],
)
def test_what_does_not_fit_is_refused(scores, truth):
    with pytest.raises(UsageError, match=r"\(batch, classes, …\)"):
        create("dice_loss")(scores, truth)

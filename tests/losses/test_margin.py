import pytest
import torch

from torchatlas.losses import MarginLoss

SCORES = [[0.95, 0.05, 0.3], [0.2, 0.6, 0.1], [0.0, 0.85, 0.9]]


def by_hand(scores, there, high=0.9, low=0.1, down=0.5):
    return sum(
        max(0.0, high - s) ** 2 if t else down * max(0.0, s - low) ** 2
        for s, t in zip(scores, there, strict=True)
    )


@pytest.mark.parametrize("words", [{}, {"high": 0.8, "low": 0.2, "down": 0.7}])
def test_it_is_the_paper_s_formula(words):
    target = torch.tensor([0, 2, 1])
    rows = [by_hand(s, [k == t for k in range(3)], **words) for s, t in zip(SCORES, [0, 2, 1], strict=True)]
    loss = MarginLoss(**words, reduction="none")(torch.tensor(SCORES), target)
    assert loss.tolist() == pytest.approx(rows, rel=1e-5)
    assert MarginLoss(**words)(torch.tensor(SCORES), target).item() == pytest.approx(sum(rows) / 3, rel=1e-5)


def test_several_classes_may_be_there_at_once():
    there = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 1]])
    rows = [by_hand(s, t) for s, t in zip(SCORES, there.tolist(), strict=True)]
    loss = MarginLoss(reduction="none")(torch.tensor(SCORES), there)
    assert loss.tolist() == pytest.approx(rows, rel=1e-5)


def test_probabilities_are_shares():
    shares = MarginLoss().probabilities(torch.tensor([[0.6, 0.2, 0.0], [0.0, 0.0, 0.0], [-1.0, 3.0, 1.0]]))
    assert shares[0].tolist() == pytest.approx([0.75, 0.25, 0])
    assert shares[1].tolist() == pytest.approx([1 / 3] * 3)
    assert shares[2].tolist() == pytest.approx([0, 0.75, 0.25])

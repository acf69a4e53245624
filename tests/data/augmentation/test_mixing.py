import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from torchatlas.data.augmentation import CutMix, Mixup
from torchatlas.engine.errors import UsageError

COUNT = 8


def rows():
    """Rows that say who they are: row i holds i everywhere."""
    x = torch.arange(float(COUNT)).double().view(COUNT, 1, 1, 1).expand(COUNT, 2, 6, 5)
    return x, torch.eye(COUNT, dtype=torch.double)


def partners(target):
    """Row i's partner and its own share, read off its target."""
    found = []
    for i, row in enumerate(target.tolist()):
        others = [j for j, share in enumerate(row) if share > 0 and j != i]
        assert len(others) <= 1 and sum(row) == pytest.approx(1)
        found.append((others[0] if others else i, row[i]))
    return found


def test_mixup_is_the_weighted_mean_of_both_with_one_share_for_all():
    x, y = rows()
    shares = []
    for seed in range(20):
        torch.manual_seed(seed)
        mixed, target = Mixup(1.0)(x, y)
        found = partners(target)
        share = next((s for j, s in found if j not in range(COUNT) or s < 1), 1.0)
        for i, (j, own) in enumerate(found):
            assert own == pytest.approx(1.0 if i == j else share)
            torch.testing.assert_close(
                mixed[i], torch.full((2, 6, 5), own * i + (1 - own) * j, dtype=torch.double)
            )
        assert sorted(j for j, _ in found) == list(range(COUNT))
        shares.append(share)
    assert min(shares) < 0.2 and max(shares) > 0.8


def test_shares_come_from_a_beta_distribution():
    torch.manual_seed(0)
    for alpha in (0.2, 1.0, 4.0):
        shares = torch.stack([Mixup(alpha).share(torch.zeros(1)) for _ in range(3000)])
        assert shares.mean().item() == pytest.approx(0.5, abs=0.03)
        assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_cross_entropy_of_mixed_targets_is_the_mix_of_cross_entropies():
    torch.manual_seed(0)
    scores, first, second = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.tensor([2, 2, 1, 0])
    share = 0.3
    target = share * one_hot(first, 3) + (1 - share) * one_hot(second, 3)
    expected = share * cross_entropy(scores, first) + (1 - share) * cross_entropy(scores, second)
    torch.testing.assert_close(cross_entropy(scores, target), expected)


def test_cutmix_pastes_one_box_and_counts_its_pixels():
    x, y = rows()
    clipped = 0
    for seed in range(30):
        torch.manual_seed(seed)
        mixed, target = CutMix()(x, y)
        found = partners(target)
        boxes = {
            tuple(map(tuple, (mixed[i, 0] != i).nonzero().tolist()))
            for i, (j, _) in enumerate(found)
            if j != i
        }
        if not boxes:
            continue
        (box,) = boxes  # the same for all rows
        sides = [sorted({place[k] for place in box}) for k in (0, 1)]
        assert len(box) == len(sides[0]) * len(sides[1])
        assert all(side == list(range(side[0], side[-1] + 1)) for side in sides)
        clipped += sides[0][0] == 0 or sides[0][-1] == 5
        for i, (j, own) in enumerate(found):
            assert own == pytest.approx(1 - len(box) / 30 if i != j else 1.0)
            assert set(mixed[i].flatten().tolist()) <= {float(i), float(j)}
    assert clipped > 3


@pytest.mark.parametrize(("share", "sides"), [(0.75, (6, 4)), (0.0, (12, 8)), (1.0, (0, 0))])
def test_the_box_has_the_root_of_the_share_left_as_its_sides(share, sides):
    """Half of both sides for a quarter of the area; the border clips some."""
    torch.manual_seed(0)
    x = torch.zeros(1, 1, 12, 8)
    most = (0, 0)
    for _ in range(60):
        pasted, kept = CutMix().mix(x, x + 1, torch.tensor(share))
        rows_, columns = pasted[0, 0].any(1).sum().item(), pasted[0, 0].any(0).sum().item()
        most = max(most[0], rows_), max(most[1], columns)
        assert kept.item() == pytest.approx(1 - pasted.mean().item())
    assert most == sides


def test_wrong_words():
    for kind in (Mixup, CutMix):
        with pytest.raises(UsageError, match="alpha"):
            kind(0.0)

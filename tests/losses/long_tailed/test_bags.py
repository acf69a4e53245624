from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from torchatlas.engine.errors import UsageError
from torchatlas.losses.long_tailed import BAGS

COUNTS = (2000, 5, 300, 7, 12, 1000)  # groups: {1, 3}, {4}, {2}, {0, 5}
GROUPS = [[1, 3], [4], [2], [0, 5]]


def surprise(z, place):
    return log(sum(map(exp, z))) - z[place]


def parts(row):
    """A row's scores by group: others first."""
    found, at = [], 0
    for group in GROUPS:
        found.append(row[at : at + 1 + len(group)])
        at += 1 + len(group)
    return found


def places(y):
    return [1 + group.index(y) if y in group else 0 for group in GROUPS]


def scores(rows, width=10):
    return torch.randn(rows, width, dtype=torch.double, generator=torch.Generator().manual_seed(1)) * 3


def test_classes_are_grouped_by_their_rows():
    loss = BAGS(COUNTS)
    assert loss.sizes == [3, 2, 2, 3] and loss.outputs == 10
    assert loss.places.tolist() == [places(y) for y in range(6)]
    assert BAGS(COUNTS, bounds=100).sizes == [4, 4]


def test_in_evaluation_the_groups_cross_entropies_add_up():
    z, y = scores(6), torch.arange(6)
    each = [
        sum(surprise(part, place) for part, place in zip(parts(row), places(label), strict=True))
        for row, label in zip(z.tolist(), y.tolist(), strict=True)
    ]
    got = BAGS(COUNTS, reduction="none").eval()(z, y)
    assert got.tolist() == pytest.approx(each, abs=1e-12)


def test_with_enough_room_training_is_the_mean_over_all_rows_of_groups_that_have_some():
    z, y = scores(8), torch.tensor([1, 1, 4, 4, 0, 5, 0, 0])  # no row of the third group
    want = 0.0
    for g in (0, 1, 3):
        losses = [
            surprise(parts(row)[g], places(label)[g])
            for row, label in zip(z.tolist(), y.tolist(), strict=True)
        ]
        want += sum(losses) / 8
    assert BAGS(COUNTS, ratio=8.0)(z, y).item() == pytest.approx(want, abs=1e-12)


def test_others_are_drawn_in_proportion_and_none_where_a_group_has_no_rows():
    rows = 40
    y = torch.tensor([0] * 37 + [1] * 2 + [4])  # two rows of group 0, one of group 1, none of group 2
    z = scores(rows).requires_grad_()
    BAGS(COUNTS, ratio=3.0)(z, y).backward()
    touched = [(part.abs().sum(1) > 0) for part in z.grad.split([3, 2, 2, 3], 1)]
    assert [int(t.sum()) for t in touched] == [2 + 6, 1 + 3, 0, 40]
    assert touched[0][37:39].all() and touched[1][39]
    kept = touched[0].nonzero()[:, 0]
    row = int(kept[0])  # an "others" row: its gradient is that of the mean over the kept
    first = parts(z[row].tolist())[0]
    p = [exp(x) / sum(map(exp, first)) for x in first]
    assert z.grad[row, :3].tolist() == pytest.approx([(p[0] - 1) / 8, p[1] / 8, p[2] / 8], abs=1e-12)


def test_the_draw_is_uniform_and_new_each_time():
    y = torch.tensor([0] * 19 + [4])
    z = scores(20).requires_grad_()
    loss, times = BAGS(COUNTS, ratio=2.0), torch.zeros(20)
    for _ in range(600):
        (grad,) = torch.autograd.grad(loss(z, y), z)
        times += grad[:, 3:5].abs().sum(1) > 0
    assert times[19] == 600 and times[:19].sum() == 1200
    expected = 1200 / 19
    assert ((times[:19] - expected).abs() < 5 * expected**0.5).all()


def test_one_group_is_the_plain_softmax():
    z, y = scores(9, 3), torch.arange(9) % 3
    loss = BAGS((20, 30, 40))
    assert loss.outputs == 3
    torch.testing.assert_close(loss(z, y), F.cross_entropy(z, y))
    torch.testing.assert_close(loss.probabilities(z), z.softmax(1))


def test_probabilities_are_those_within_groups_without_others():
    z = scores(4)
    got = BAGS(COUNTS).probabilities(z)
    for row, p in zip(z.tolist(), got.tolist(), strict=True):
        raw = [0.0] * 6
        for part, group in zip(parts(row), GROUPS, strict=True):
            for k, c in enumerate(group, start=1):
                raw[c] = exp(part[k]) / sum(map(exp, part))
        assert all(0 <= x <= 1 for x in raw)
        assert p == pytest.approx([x / sum(raw) for x in raw], abs=1e-12)


def test_a_background_has_a_group_of_two():
    loss = BAGS(COUNTS, background=True, reduction="none").eval()
    assert loss.outputs == 12
    z, y = scores(2, 12), torch.tensor([4, 6])  # the second is background: others in all groups
    want = []
    for row, label in zip(z.tolist(), y.tolist(), strict=True):
        inside = [0, 0, 0, 0] if label == 6 else places(label)
        rest = sum(surprise(part, place) for part, place in zip(parts(row[2:]), inside, strict=True))
        want.append(surprise(row[:2], int(label == 6)) + rest)
    assert loss(z, y).tolist() == pytest.approx(want, abs=1e-12)
    row = z[0].tolist()
    front = [exp(x) / sum(map(exp, row[:2])) for x in row[:2]]
    raw = [0.0] * 6
    for part, group in zip(parts(row[2:]), GROUPS, strict=True):
        for k, c in enumerate(group, start=1):
            raw[c] = front[0] * exp(part[k]) / sum(map(exp, part))
    whole = sum(raw) + front[1]
    assert loss.probabilities(z)[0].tolist() == pytest.approx([*(x / whole for x in raw), front[1] / whole])


def test_wrong_words_are_refused():
    with pytest.raises(UsageError, match="bounds rise"):
        BAGS(COUNTS, bounds=(100, 10))
    with pytest.raises(UsageError, match="ratio is at least 0"):
        BAGS(COUNTS, ratio=-1)
    with pytest.raises(UsageError, match="10 scores a row, and there are 6"):
        BAGS(COUNTS)(torch.zeros(2, 6), torch.tensor([0, 1]))

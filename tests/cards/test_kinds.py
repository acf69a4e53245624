import pytest

from torchatlas.cards.kinds import KINDS, default_kind


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("nn/activations/searched.py", "activation"),
        ("nn/attention/dot.py", "layer"),
        ("optim/first_order.py", "optimizer"),
        ("optim/schedules/decay.py", "schedule"),
        ("losses/regression.py", "loss"),
        ("losses/adversarial_pairs.py", "gan_loss"),
        ("losses/adversarial_pairs/minimax.py", "gan_loss"),
        ("losses/adversarial_pairs_more.py", "loss"),
        ("learning/supervised/supervised.py", "learner"),
        ("learning/classical/trees.py", "estimator"),
        ("generative/variational/vae.py", "learner"),
        ("engine/loop.py", ""),
    ],
)
def test_the_longest_shelf_names_the_kind(page, kind):
    assert default_kind(page) == kind


def test_each_shelf_has_one_kind_and_each_kind_a_contract():
    shelves = [shelf for kind in KINDS.values() for shelf in kind.shelves]
    assert len(shelves) == len(set(shelves))
    assert all(kind.contract and name == kind.name for name, kind in KINDS.items())

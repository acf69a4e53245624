import pytest

from torchatlas.engine.errors import UsageError
from torchatlas.study.comparing.entries import make_entries


def net(in_features, num_classes):
    """A function that makes networks."""


def other():
    def net(in_features, num_classes):
        """Another of the same name."""

    return net


def test_settings_go_to_the_methods_that_have_them():
    entries = make_entries(["mlp", "lenet5"], {"activation": ["relu", "tanh"]}, {"hidden": 8, "lr": 0.1})
    assert [e.label for e in entries] == [
        f"{name} activation={act}" for name in ("mlp", "lenet5") for act in ("relu", "tanh")
    ]
    assert entries[0].settings == {"hidden": 8, "lr": 0.1, "activation": "relu"}
    assert "hidden" not in entries[2].settings and entries[2].settings["lr"] == 0.1
    with pytest.raises(UsageError, match="hiden"):
        make_entries(["mlp"], {}, {"hiden": 8})


def test_ones_own_things_are_called_in_short_where_that_is_enough():
    assert [e.label for e in make_entries([other(), "mlp"], {}, {})] == ["net", "mlp"]
    labels = [e.label for e in make_entries([net, other()], {}, {})]
    assert len(set(labels)) == 2 and all(label.endswith("net") for label in labels)


@pytest.mark.parametrize("vary", [{"lr": [0.1, 0.1]}, {"hidden": [(3, 4), [3, 4]]}])
def test_two_that_would_share_a_folder_are_refused(vary):
    with pytest.raises(UsageError, match="compared with itself"):
        make_entries(["mlp"], vary, {})

from functools import partial

import pytest
from torch import nn

from torchatlas import create
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import Conv4
from torchatlas.networks.fitting import network_for
from torchatlas.study.training.words import part

IMAGE = Spec("image", (3, 28, 20), "classification", 7)
TABLE = Spec("table", (12,), "classification", 7)


def test_names_classes_and_functions_take_their_sizes_from_the_data():
    for network in ("conv4", Conv4, partial(Conv4, width=8), "torchatlas.networks.convolutional:Conv4"):
        made = network_for(IMAGE, network)
        assert made.body[0].in_channels == 3 and made.head.out_features == 7
        assert made.head.in_features == made.body[0].out_channels * 1 * 1
    assert network_for(TABLE, "mlp", 5).head.weight.shape == (5, 256)
    assert network_for(IMAGE, "mlp").body[0].in_features == 3 * 28 * 20


def test_a_name_with_options_as_a_recipe_holds_it():
    made = network_for(TABLE, part("mlp(hidden=(4, 6))"))
    assert [m.out_features for m in made.modules() if isinstance(m, nn.Linear)] == [4, 6, 7]
    assert isinstance(part("mlp(hidden=3)"), partial) and part("mlp(hidden=3)").func is create


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="takes images"):
        network_for(TABLE, "conv4")
    with pytest.raises(UsageError, match="is no network"):
        network_for(TABLE, "adam")
    with pytest.raises(UsageError, match="made a int"):
        network_for(TABLE, lambda: 3)

import pytest
import torch

from torchatlas import create


@pytest.mark.parametrize("name", ["dropout", "spatial_dropout"])
def test_kept_numbers_are_scaled_up_and_evaluation_changes_nothing(name):
    layer, x = create(name, p=0.25), torch.full((100, 40, 3, 3), 3.0)
    y = layer(x)
    assert set(y.unique().tolist()) == {0.0, 4.0}
    assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(layer.eval()(x), x)


def test_spatial_dropout_drops_whole_channels_and_dropout_does_not():
    x = torch.ones(50, 20, 4, 4)
    whole = create("spatial_dropout")(x).flatten(2)
    assert torch.equal(whole.amin(2), whole.amax(2))
    assert 0 < (whole.amax(2) == 0).float().mean() < 1
    single = create("dropout")(x).flatten(2)
    assert not torch.equal(single.amin(2), single.amax(2))

import copy

import pytest
import torch
from torch import nn

from torchatlas.engine.errors import UsageError
from torchatlas.networks.convolutional import CifarResNet, ResNet
from torchatlas.networks.image import FeatureMaps, is_small
from torchatlas.nn.normalization import BatchRenorm, L1BatchNorm
from torchatlas.nn.swap import swap


def net(**words):
    return ResNet(
        **{"num_classes": 3, "in_channels": 1, "input_size": (12, 12), "layers": (1, 1), "width": 4} | words
    )


def images(count=6, seed=0):
    return torch.randn(count, 1, 12, 12, generator=torch.Generator().manual_seed(seed))


def step(model, x, lr=0.1):
    """A step of SGD over what takes a gradient."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr)
    out = model(x)
    sum(each.square().sum() for each in (out if isinstance(out, list) else [out])).backward()
    optimizer.step()


def changed(model, before):
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def test_the_parts_are_all_of_the_network():
    model = CifarResNet(depth=8)
    assert list(model.parts()) == ["stem", "stage1", "stage2", "stage3", "neck", "head"]
    parts = [p for part in model.parts().values() for p in part.parameters()]
    assert list(map(id, parts)) == list(map(id, model.parameters()))


@pytest.mark.parametrize(("size", "small"), [((64, 200), True), ((65, 65), False), (None, False)])
def test_small_is_by_the_shorter_side(size, small):
    assert is_small(size) is small


@pytest.mark.parametrize(
    ("names", "until", "frozen"),
    [
        ((), None, ()),
        (("stage2", "stem"), None, ("stem", "stage2")),
        ((), "stage1", ("stem", "stage1")),
        (("head",), "stem", ("stem", "head")),
    ],
)
def test_what_is_frozen_stays_and_the_rest_moves(names, until, frozen):
    model = net().train().freeze(*names, until=until)
    assert model.frozen == frozen
    before = copy.deepcopy(model.state_dict())
    step(model, images())
    moved = changed(model, before)
    prefixes = {"stem": "stem.", "stage1": "stages.0.", "stage2": "stages.1.", "head": "head."}
    for part, prefix in prefixes.items():
        some = any(name.startswith(prefix) for name in moved)
        assert some is (part not in frozen), part
    kept = {id(p) for p in model.frozen_parameters()}
    assert kept == {id(p) for p in model.parameters() if not p.requires_grad}


def test_frozen_statistics_stay_in_evaluation_until_they_are_thawed():
    model = net().freeze("stage1")
    modes = [m.training for m in model.train().modules()]
    assert not any(m.training for m in model.stages[0].modules()) and model.stages[1].training and any(modes)
    assert not any(m.training for m in model.eval().modules())
    model.train().freeze()
    assert all(m.training for m in model.modules()) and all(p.requires_grad for p in model.parameters())
    assert model.frozen == () and model.frozen_parameters() == []


def test_there_is_no_such_part():
    with pytest.raises(UsageError, match="no part 'layer1' to freeze: take stem, stage1, stage2, neck, head"):
        net().freeze("layer1")
    with pytest.raises(UsageError, match="no part 'layer1'"):
        net().freeze(until="layer1")


def test_a_head_for_other_classes_changes_the_head_alone():
    model = net().double().eval()
    before = copy.deepcopy(model.state_dict())
    x = images().double()
    features = model.forward_features(x)
    assert model.reset_head(7) is model and not model.head.training
    assert model(x).shape == (6, 7) and model(x).dtype == torch.double
    assert torch.equal(model.forward_features(x), features)
    assert {name for name in before if name.split(".")[0] == "head"} == {"head.weight", "head.bias"}
    assert torch.equal(model.reset_head(0)(x), features) and isinstance(model.head, nn.Identity)


def test_without_classes_the_features_come_out():
    model = net(num_classes=0).eval()
    assert not list(model.head.parameters())
    assert model(images()).shape == (6, model.features) == (6, 8)


@pytest.mark.parametrize("norm", [None, L1BatchNorm, BatchRenorm])
@pytest.mark.parametrize("frozen", [(), ("stem", "stage1")])
def test_recomputing_gives_the_same_gradients_and_statistics(norm, frozen):
    model = net(drop_path=0.3).double()
    if norm is not None:
        model = swap(model, {nn.BatchNorm2d: norm})
    model.freeze(*frozen)
    found = []
    for again in (False, True):
        each = copy.deepcopy(model).train().set_grad_checkpointing(again)
        for k in range(3):
            torch.manual_seed(k)
            step(each, images(seed=k).double(), 0.01)
        found.append(
            [*each.state_dict().values(), *(p.grad for p in each.parameters() if p.grad is not None)]
        )
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert any(value.dtype == torch.long and value.item() == 3 for value in found[0] if value.ndim == 0)


def test_statistics_of_two_passes_before_one_way_back():
    found = []
    for again in (False, True):
        torch.manual_seed(0)
        model = net().train().set_grad_checkpointing(again)
        (model(images(seed=1)).sum() + model(images(seed=2)).sum()).backward()
        found.append([*model.buffers(), *(p.grad for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_recomputing_keeps_less():
    def kept(again):
        model, sizes = net(layers=(3, 3)).train().set_grad_checkpointing(again), []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            model(images())
        return sum(sizes)

    assert kept(True) < kept(False) / 2


def test_nothing_is_recomputed_in_evaluation():
    model, calls = net().eval().set_grad_checkpointing(), []
    model.stages[0].register_forward_hook(lambda *_: calls.append(1))
    model.stages[0][0].register_forward_hook(lambda *_: calls.append(2))
    model(images()).sum().backward()
    assert calls == [2]


def test_maps_of_a_network_for_large_images():
    maps = FeatureMaps(ResNet(3, 3, layers=(1, 1, 1, 1), width=4))
    assert maps.strides == (4, 8, 16, 32) and maps.channels == (4, 8, 16, 32)
    found = maps.eval()(torch.randn(2, 3, 70, 96))
    assert [tuple(m.shape) for m in found] == [(2, 4, 18, 24), (2, 8, 9, 12), (2, 16, 5, 6), (2, 32, 3, 3)]


def test_maps_are_those_of_the_network():
    model = net().eval()
    chosen = FeatureMaps(model, stages=(1,))
    assert chosen.strides == (2,) and chosen.channels == (8,)
    assert torch.equal(chosen(images())[0], model.feature_maps(images())[1])
    first = FeatureMaps(model, stages=(0,))
    assert len(first.stages) == 1 and torch.equal(first(images())[0], model.feature_maps(images())[0])
    with pytest.raises(UsageError, match="the network has 2, numbered from 0"):
        FeatureMaps(model, stages=(2,))


def test_looking_at_maps_leaves_the_network_as_it_was():
    model = net().train()
    before = copy.deepcopy(model.state_dict())
    FeatureMaps(model)
    assert model.training and not changed(model, before)


def test_maps_of_a_frozen_network_keep_it_frozen():
    model = net().freeze("stem", "stage1")
    maps = FeatureMaps(model).train()
    before = copy.deepcopy(maps.state_dict())
    step(maps, images())
    moved = changed(maps, before)
    assert moved and all(name.startswith("stages.1.") for name in moved)
    assert {id(p) for p in maps.frozen_parameters()} == {
        id(p) for p in maps.parameters() if not p.requires_grad
    }

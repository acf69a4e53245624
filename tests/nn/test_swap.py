"""Exchanging parts of models that others have written."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import torchatlas
from torchatlas.engine.errors import UsageError
from torchatlas.nn import activations
from torchatlas.nn.swap import swap


class Block(nn.Module):
    """A residual block in torchvision's manner: one ReLU for two places."""

    def __init__(self, inner: int, outer: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(outer, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, outer, 1), nn.BatchNorm2d(outer)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + x)


class Toy(nn.Module):
    """Nested Sequential, ModuleList, a module stored twice, a pool, and a call that is no module."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.Sequential(nn.BatchNorm2d(8), nn.ReLU6()), nn.MaxPool2d(3, 2, 1)
        )
        self.blocks = nn.ModuleList([Block(8, 8), Block(8, 8)])
        self.shared = nn.LeakyReLU()
        self.again = self.shared
        self.head = nn.ModuleDict({"fc": nn.Linear(8, 6), "act": nn.ReLU(), "out": nn.Linear(6, 2)})

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = self.again(self.shared(block(x)))
        x = F.relu(x).mean((2, 3))
        return self.head["out"](self.head["act"](self.head["fc"](x)))


X = torch.randn(2, 3, 8, 8)


def kinds(model: nn.Module, kind: type) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def test_a_name_is_exchanged_everywhere_and_in_place():
    model = Toy()
    assert swap(model, relu="smu") is model
    assert kinds(model, nn.ReLU) == 0 and kinds(model, activations.SMU) == 3
    assert isinstance(model.stem[1][1], nn.ReLU6)  # another kind
    assert model(X).shape == (2, 2)


def test_torchatlas_nn_offers_it():
    assert torchatlas.nn.swap is swap


def test_several_at_once_with_options_classes_and_makers():
    model = Toy()
    swap(
        model,
        {nn.LeakyReLU: nn.GELU},
        relu=partial(nn.ELU, 0.5),
        relu6="elu(alpha=0.2)",
        batch_norm="group_norm(num_groups=4)",
        max_pool="avg_pool",
    )
    assert kinds(model, nn.GroupNorm) == 5 and model.blocks[0].bn1.num_channels == 8
    assert kinds(model, nn.GELU) == 1 and model.shared is model.again
    assert {module.alpha for module in model.modules() if isinstance(module, nn.ELU)} == {0.5, 0.2}
    pool = model.stem[2]
    assert isinstance(pool, nn.AvgPool2d) and (pool.kernel_size, pool.stride, pool.padding) == (3, 2, 1)
    assert model(X).shape == (2, 2)


def test_channels_are_seen_in_a_sample():
    model = Toy().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    swap(model, relu="acon(form='a')", leaky_relu="frelu", sample=X)
    assert model.head["act"].beta.shape == (6,) and model.blocks[1].relu.beta.shape == (8,)
    assert model.shared.window.weight.shape[0] == 8 and model.again is model.shared
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in before.items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert model(X).shape == (2, 2)


def test_tokens_have_their_channels_last():
    model = nn.Sequential(
        nn.Linear(5, 7), nn.Dropout(), nn.ReLU(), nn.Linear(7, 5), nn.LayerNorm(5), nn.ReLU()
    )
    swap(model, relu="acon", layer_norm="rms_norm", sample=torch.randn(2, 3, 5))
    assert (model[2].dim, model[2].beta.numel(), model[5].beta.numel()) == (-1, 7, 5)
    assert isinstance(model[4], nn.RMSNorm) and model[4].normalized_shape == (5,)
    conv = nn.Sequential(nn.Conv1d(5, 7, 1), nn.ReLU())
    assert swap(conv, relu="acon", sample=torch.randn(2, 5, 3))[1].dim == 1
    maps = nn.Sequential(nn.Linear(5, 7), nn.ReLU())
    assert swap(maps, relu="acon", sample=torch.randn(2, 4, 4, 5))[1].dim == -1


def test_layer_norm_takes_the_shape_of_what_it_stands_on():
    model = swap(nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)), batch_norm="layer_norm", sample=X)
    assert model[1].normalized_shape == (8, 8, 8)


def test_mode_device_and_number_type_stay():
    model = Toy().double().eval()
    model.blocks[0].train()
    swap(model, relu="prelu", batch_norm="instance_norm(affine=True)")
    assert all(p.dtype == torch.double for p in model.parameters())
    assert model.blocks[0].relu.training and not model.blocks[1].relu.training
    with torch.device("meta"):
        ghost = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    assert swap(ghost, relu="prelu")[1].weight.device.type == "meta"


def test_subclasses_go_with_their_class_and_the_nearest_key_wins():
    class Own(nn.ReLU):
        pass

    assert isinstance(swap(nn.Sequential(Own()), relu="gelu")[0], nn.GELU)
    model = nn.Sequential(nn.ReLU6(), nn.Hardtanh())
    swap(model, hardtanh="tanh", relu6="relu")  # ReLU6 is a Hardtanh to PyTorch
    assert isinstance(model[0], nn.ReLU) and isinstance(model[1], nn.Tanh)


def test_a_key_with_options_finds_what_has_them():
    model = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.AdaptiveAvgPool2d(7))
    swap(model, global_avg_pool="global_max_pool")
    assert isinstance(model[0], nn.AdaptiveMaxPool2d) and isinstance(model[1], nn.AdaptiveAvgPool2d)


def test_the_model_itself_may_be_exchanged():
    assert isinstance(swap(nn.ReLU().eval(), relu="gelu"), nn.GELU)


def test_what_is_inside_a_new_module_is_left_alone():
    model = nn.Sequential(nn.ReLU(), nn.Sigmoid())
    swap(model, relu="meta_acon(channels=3)", sigmoid="tanh")
    assert kinds(model[0], nn.Sigmoid) == 1 and isinstance(model[1], nn.Tanh)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({}, "say what to exchange"),
        (
            {"mish": "relu"},
            r"no Mish to exchange for 'mish'; its modules are 5 Conv2d, 5 BatchNorm2d.*F\.relu",
        ),
        ({"relu": "acon"}, r"blocks\.0\.relu cannot become acon: .*give a batch as sample="),
        ({"relu": "elu(alpha)"}, r"is not a name with options"),
        ({"relu": "elu(alhpa=1)"}, r"cannot become elu\(alhpa=1\): elu has no option 'alhpa'"),
        ({"relu": "reluu"}, "no method is called 'reluu'"),
        ({"batch_norm": "group_norm(num_groups=3)"}, r"stem\.1\.0 cannot become group_norm"),
        ({"max_pool": "lp_pool"}, r"stem\.2 cannot become lp_pool: the old one has padding=1"),
        ({"adam": "relu"}, "is no kind of module"),
        ({"relu": nn.GELU()}, "is exchanged for a name, a class or a function that makes one"),
        ({"relu": dict}, "dict makes a dict, which no model can hold"),
    ],
)
def test_what_cannot_be_done_is_told_and_leaves_the_model_as_it_was(what, message):
    model = Toy()
    before = str(model)
    with pytest.raises(UsageError, match=message):
        swap(model, **what)
    assert str(model) == before


def test_one_module_on_different_numbers_of_channels_cannot_have_channels():
    with pytest.raises(UsageError, match=r"in several places, with 4 and 8 channels"):
        swap(Block(4, 8), relu="acon", sample=torch.randn(1, 8, 2, 2))


def test_a_place_that_the_sample_does_not_show_is_told():
    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(x * 2)

    x = torch.randn(2, 3, 4)
    with pytest.raises(UsageError, match=r"does not show where the channels lie: say dim="):
        swap(Views(), relu="acon", sample=x)
    assert swap(Views(), relu="acon(dim=-1)", sample=x)(x).shape == x.shape

import sys
import types

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.networks.convolutional import CifarResNet, ResNet
from torchatlas.networks.weights import convert, load_weights, read_weights, unlike

MAPS = {"lib": ((r"^w$", "weights"), (r"^weights$", "weight"), (r"^b$", "bias"), (r"^junk\..*", ""))}


def net(seed=0, **words):
    torch.manual_seed(seed)
    return ResNet(
        **{"num_classes": 3, "in_channels": 1, "input_size": (12, 12), "layers": (1, 1), "width": 4} | words
    )


def same(one, other):
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def theirs(state):
    """Our weights by torchvision's names, written down by hand."""
    names = {"stem.0": "conv1", "stem.1": "bn1", "head": "fc"}
    inner = {"body.0": "conv1", "body.1": "bn1", "body.3": "conv2", "body.4": "bn2"}
    short = {"shortcut.0": "downsample.0", "shortcut.1": "downsample.1"}
    for stage in (0, 1):
        for ours, other in (inner | short).items():
            names[f"stages.{stage}.0.{ours}"] = f"layer{stage + 1}.0.{other}"
    found = {f"{names[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": t for name, t in state.items()}
    assert len(found) == len(state)
    return found


@pytest.mark.parametrize("names", ["torchvision", "timm", ""])
def test_other_libraries_names_are_told_or_seen(names):
    source, model = net(1), net(2)
    assert load_weights(model, theirs(source.state_dict()), names) is model
    assert same(model, source)


def test_a_file_of_weights(tmp_path):
    source = net(1)
    save_file(source.state_dict(), tmp_path / "ours.safetensors")
    save_file(theirs(source.state_dict()), tmp_path / "theirs.safetensors")
    for name in ("ours", "theirs"):
        assert same(load_weights(net(2), tmp_path / f"{name}.safetensors"), source)
        assert same(load_weights(net(2), str(tmp_path / f"{name}.safetensors")), source)
    half = {name: t.bfloat16() if t.is_floating_point() else t for name, t in source.state_dict().items()}
    loaded = load_weights(net(2), half)
    assert all(p.dtype == torch.float32 for p in loaded.parameters())


def test_names_and_shapes_must_fit():
    state = net(1).state_dict()
    model = net(2)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    less = {name: t for name, t in state.items() if name != "stem.0.weight"}
    more = state | {"tail.weight": torch.zeros(1)}
    for wrong, words in (
        (less, r"1 missing \(stem.0.weight\)"),
        (more, r"1 not known here \(tail.weight\)"),
        (
            net(1, width=8).state_dict(),
            r"of another shape \(stem.0.weight \(8, 1, 3, 3\) for \(4, 1, 3, 3\), .* …\)",
        ),
        (net(1, num_classes=5).state_dict(), "2 of another shape .*say head=False"),
    ):
        with pytest.raises(UsageError, match=words):
            load_weights(model, wrong)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    old = {name: t for name, t in state.items() if "num_batches_tracked" not in name}
    assert same(load_weights(model, old), net(1))


def test_a_linear_map_takes_the_weights_of_a_filter_of_one_pixel():
    state, model = net(1).state_dict(), net(2)
    as_filter = state | {"head.weight": state["head.weight"][..., None, None]}
    assert same(load_weights(model, as_filter), net(1))
    turned = state | {"head.weight": state["head.weight"].T}
    with pytest.raises(UsageError, match="1 of another shape"):
        load_weights(model, turned)


def test_what_differs_is_counted_with_three_names():
    wanted = {name: torch.zeros(1) for name in "abcd"}
    assert unlike(wanted, wanted) == ""
    assert unlike({}, wanted) == "4 missing (a, b, c …)"
    assert unlike(wanted | {"e": torch.zeros(1)}, wanted) == "1 not known here (e)"
    assert unlike(wanted | {"a": torch.zeros(2)}, wanted) == "1 of another shape (a (2,) for (1,))"


@pytest.mark.parametrize("classes", [5, 3, 0])
def test_a_head_may_stay_as_it_is(classes):
    source, model, fresh = net(1, num_classes=classes), net(2), net(2)
    load_weights(model, source.state_dict(), head=False)
    assert all(
        torch.equal(model.state_dict()[k], fresh.state_dict()[k]) for k in ("head.weight", "head.bias")
    )
    body = {k: t for k, t in source.state_dict().items() if not k.startswith("head")}
    assert all(torch.equal(model.state_dict()[k], t) for k, t in body.items())


def test_rules_come_one_after_another_and_may_drop():
    class Mapped(nn.Linear):
        key_maps = MAPS

    state = {"w": torch.ones(2, 2), "b": torch.ones(2), "junk.x": torch.ones(9)}
    assert set(convert(Mapped(2, 2), state, "lib")) == set(convert(Mapped(2, 2), state)) == {"weight", "bias"}


def test_a_network_that_knows_no_such_names():
    with pytest.raises(
        UsageError, match="ResNet knows no names of keras's weights; it knows those of torchvision"
    ):
        load_weights(net(), net().state_dict(), "keras")
    with pytest.raises(UsageError, match="it knows its own alone"):
        load_weights(CifarResNet(depth=8), CifarResNet(depth=8).state_dict(), "timm")


@pytest.mark.parametrize("source", ["weights.pth", "resnet18", "timm:", "keras:resnet"])
def test_what_is_no_source(source):
    with pytest.raises(UsageError, match="weights are timm:NAME, torchvision:NAME or a file"):
        read_weights(source)


def test_files_that_are_missing_or_damaged(tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(UsageError, match=r"there is no file .*net\.safetensors"):
        read_weights(path)
    save_file(net().state_dict(), path)
    whole = path.read_bytes()
    for content in (b"", b"no weights", whole[:-7], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(
            AtlasError, match=r"holds no weights that can be read .*fetch or write it again"
        ) as told:
            read_weights(path)
        assert "\n" not in str(told.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(AtlasError, match="holds no weights"):
        read_weights(path)


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for huggingface_hub, whose download does as it is told."""
    module = types.ModuleType("huggingface_hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return module


def test_weights_of_timm_come_from_the_hub(hub, tmp_path):
    source, asked = net(1), []
    save_file(theirs(source.state_dict()), tmp_path / "model.safetensors")
    hub.hf_hub_download = lambda *words: asked.append(words) or str(tmp_path / "model.safetensors")
    assert same(load_weights(net(2), "timm:resnet18.a1_in1k"), source)
    assert asked == [("timm/resnet18.a1_in1k", "model.safetensors")]


@pytest.mark.parametrize("error", [OSError("no\nconnection"), ValueError("no name of a repository")])
def test_without_a_connection_the_cure_is_told(hub, error):
    def download(*words):
        raise error

    hub.hf_hub_download = download
    wanted = r"https://huggingface.co/timm/resnet18 cannot be fetched \(no .*\). Without .*, fetch its model"
    with pytest.raises(AtlasError, match=wanted):
        read_weights("timm:resnet18")


def test_without_the_library_its_extra_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"pip install 'torchatlas\[hub\]'"):
        read_weights("timm:resnet18")
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(UsageError, match="torchatlas\\[torchvision"):
        read_weights("torchvision:resnet18")


def test_weights_of_torchvision(monkeypatch):
    source = net(1)
    given = {"resnet18": lambda: theirs(source.state_dict())}

    def get_model_weights(name):
        if name not in given:
            raise ValueError(name)
        default = types.SimpleNamespace(url="https://x/y.pth", get_state_dict=lambda **words: given[name]())
        return types.SimpleNamespace(DEFAULT=default)

    models = types.ModuleType("torchvision.models")
    models.get_model_weights = get_model_weights
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    assert same(load_weights(net(2), "torchvision:resnet18"), source)
    with pytest.raises(UsageError, match="torchvision has no model 'resnet19'"):
        read_weights("torchvision:resnet19")
    given["resnet18"] = lambda: (_ for _ in ()).throw(OSError("no route"))
    with pytest.raises(
        AtlasError, match=r"https://x/y.pth cannot be fetched \(no route\).*put it into .*checkpoints"
    ):
        read_weights("torchvision:resnet18")

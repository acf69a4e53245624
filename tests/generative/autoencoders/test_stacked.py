import pytest
import torch
import torch.nn.functional as F

from stopping import assert_stopped_is_whole
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.generative.autoencoders import StackedDenoisingAutoencoder

IMAGE = Spec("image", (1, 4, 4), "classification", 3, ("a", "b", "c"), (4, 4, 4))
TABLE = Spec("table", (5,), "classification", 3, ("a", "b", "c"), (4, 4, 4))


def stack(spec=IMAGE, **options) -> StackedDenoisingAutoencoder:
    return StackedDenoisingAutoencoder.for_data(spec, **{"hidden": (8, 6), "pretraining": 2, **options})


def batch(spec=IMAGE, count=30):
    return torch.rand(count, *spec.shape), torch.arange(count) % 3


def stage(model, player, parts, count=1, lr=0.01) -> list[float]:
    optimizer, losses = torch.optim.Adam(model.owned(player), lr=lr), []
    for step in range(count):
        model.requires_grad_(False)
        for parameter in model.owned(player):
            parameter.requires_grad_()
        optimizer.zero_grad()
        loss = model.loss(player, parts)
        loss.backward()
        optimizer.step()
        model.updated(player, step)
        losses.append(loss.item())
    return losses


def test_layers_come_one_by_one_and_then_all():
    model = stack()
    model.planned(steps=100, steps_per_epoch=5)
    taken = [model.turns(step)[0] for step in range(100)]
    assert taken == ["layer1"] * 10 + ["layer2"] * 10 + ["all"] * 80


def test_pretraining_takes_at_most_half_and_a_longer_run_leaves_it_alone():
    model = stack()
    model.planned(steps=12, steps_per_epoch=5)
    assert [model.turns(step)[0] for step in (0, 2, 3, 5, 6)] == ["layer1"] * 2 + ["layer2"] * 2 + ["all"]
    again = stack()
    again.load_state_dict(model.state_dict())
    again.planned(steps=1000, steps_per_epoch=5)
    assert [again.turns(step) for step in range(40)] == [model.turns(step) for step in range(40)]


def test_training_a_layer_moves_itself_alone():
    model, parts = stack(), batch()
    for k, player in enumerate(("layer1", "layer2")):
        before = {name: value.clone() for name, value in model.named_parameters()}
        stage(model, player, parts)
        moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
        assert moved == {name for name in before if name.startswith(f"layers.{k}.")}
    before = {name: value.clone() for name, value in model.named_parameters()}
    stage(model, "all", parts)
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if "decoder" not in name}  # the decoders are left behind


def test_a_layer_is_fed_the_clean_features_of_the_layers_below():
    model, (x, y) = stack(level=(0.9, 0.0)).double(), batch()
    x = x.double()
    first, second = model.layers
    below = torch.sigmoid(x.flatten(1) @ first.encoder[1].weight.T + first.encoder[1].bias)
    code = torch.sigmoid(below @ second.encoder[1].weight.T + second.encoder[1].bias)
    logits = code @ second.decoder.weight.T + second.decoder.bias
    expected = F.binary_cross_entropy(torch.sigmoid(logits), below, reduction="sum") / len(x)
    torch.testing.assert_close(model.loss("layer2", (x, y)), expected)
    torch.testing.assert_close(model.predict(x), (code @ model.head.weight.T + model.head.bias).softmax(1))


def test_corruption_is_at_the_layer_s_own_input_and_not_in_fine_tuning():
    model, parts = stack(level=0.5), batch()
    losses = [(model.loss(player, parts), model.loss(player, parts)) for player in model.players]
    assert [bool(torch.equal(*pair)) for pair in losses] == [False, False, True]


@pytest.mark.parametrize("spec", [IMAGE, TABLE])
def test_the_loss_falls_in_each_stage(spec):
    model, parts = stack(spec), batch(spec)
    for player in model.players:
        losses = stage(model, player, parts, 60)
        assert sum(losses[-5:]) < 0.97 * sum(losses[:5])


def test_only_pictures_are_probabilities():
    assert [layer.binary for layer in stack().layers] == [True, True]
    assert [layer.binary for layer in stack(TABLE).layers] == [False, True]


def test_scores_follow_the_stage():
    model, parts = stack(), batch()
    assert set(model.scores(parts)) == {"loss", "accuracy"}
    stage(model, "layer2", parts)
    assert set(model.scores(parts)) == {"reconstruction"}
    stage(model, "all", parts)
    scores = model.scores(parts)
    torch.testing.assert_close(scores["loss"], -model.predict(parts[0]).log()[range(30), parts[1]])
    assert torch.equal(scores["accuracy"], (model.predict(parts[0]).argmax(1) == parts[1]).float())


def test_weights_count_in_every_stage():
    model, (x, y) = stack(level=0.0), batch(count=4)
    weight = torch.tensor([0.0, 1.0, 3.0, 0.0])
    for player in model.players:
        one, three = (model.loss(player, (x[k : k + 1], y[k : k + 1])) for k in (1, 2))
        torch.testing.assert_close(model.loss(player, (x, y, weight)), (one + 3 * three) / 4)
    assert model.share((x, y, weight)) == 4 and model.share((x, y)) == 4


def test_what_it_cannot_learn_is_refused():
    with pytest.raises(UsageError, match="regression"):
        stack(Spec("table", (5,), "regression", 1))
    with pytest.raises(UsageError, match="hidden"):
        stack(hidden=())


@pytest.mark.parametrize("at", [2, 5, 9])  # in the first layer, at the end of the second, in all
def test_stopped_and_gone_on(tmp_path, at):
    assert_stopped_is_whole(
        tmp_path, "stacked_denoising_autoencoder", 12, at, hidden=(6, 5), pretraining=1, batch_size=512
    )

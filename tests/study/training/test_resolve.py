import pytest
import torch
from torch import nn

from torchatlas.cards.reader import UnknownName
from torchatlas.data.spec import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.study.training.build import build, from_data, make_optimizers, make_schedules, wanted_size
from torchatlas.study.training.resolve import card_of, method_options, override, refuse_meaningless, resolve

IMAGES = Spec("image", (1, 8, 8), "classification", 10, tuple("0123456789"))
TABLE = Spec("table", (5,), "regression", 2, ("u", "v"))


def test_the_user_goes_before_the_card_and_the_card_before_the_rest():
    assert resolve("mlp", "digits", {}).lr == 0.003  # the card's
    recipe = resolve("mlp", "digits", {"lr": 0.5, "hidden": 7, "optimizer.amsgrad": True})
    assert (recipe.lr, recipe.options, recipe.optimizer_options) == (0.5, {"hidden": 7}, {"amsgrad": True})
    assert recipe.epochs == 30 and resolve("mlp", "digits", {"steps": 5}).epochs is None


def test_a_rate_chosen_for_another_optimizer_is_left_out():
    assert resolve("mlp", "digits", {"optimizer": "sgd"}).lr is None
    assert resolve("mlp", "digits", {"optimizer": "adam"}).lr == 0.003
    gan = resolve("gan_nonsaturating", "digits", {"optimizer": "rmsprop"})
    assert gan.optimizer_options == {} and resolve("gan_nonsaturating", "digits", {}).optimizer_options


def test_a_recipe_with_other_settings():
    recipe = override(resolve("mlp", "digits", {"epochs": 3, "hidden": 9}), {"steps": 4, "dropout": 0.1})
    assert (recipe.steps, recipe.epochs, recipe.options) == (4, None, {"hidden": 9, "dropout": 0.1})
    with pytest.raises(UsageError, match="lr=-1"):
        override(recipe, {"lr": -1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "relu"}, "relu is an activation, not an optimizer"),
        ({"schedule": "adam"}, "adam is an optimizer, not a schedule"),
        ({"loss": "mlp"}, "mlp is a network, not a loss"),
        ({"hiden": 3}, "did you mean hidden"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_wrong_words(settings, message):
    with pytest.raises(UsageError, match=message):
        resolve("mlp", "digits", settings)
    with pytest.raises(UnknownName):
        resolve("mlp", "digits", {"optimizer": "adm"})


def test_what_means_nothing_to_what_is_fitted():
    for key in ("lr", "epochs", "optimizer.momentum", "ema"):
        with pytest.raises(UsageError, match=f"svm: fitted, not trained in steps, so {key} means nothing"):
            refuse_meaningless(["svm"], {key: 1})
        refuse_meaningless(["svm", "mlp"], {key: 1})  # a budget shared with what is trained
    refuse_meaningless(["svm", "random_forest"], {"seed": 1, "test": 0.3, "C": 2.0})
    with pytest.raises(UsageError, match="svm and random_forest: fitted"):
        refuse_meaningless(["svm", "random_forest"], {"lr": 1})
    with pytest.raises(UsageError, match="epochs means nothing"):
        override(resolve("svm", "iris", {}), {"epochs": 3})
    assert resolve("svm", "iris", {"epochs": 3}).epochs == 3  # as comparisons hand it on


def test_what_the_data_answers():
    assert from_data(lambda num_classes, in_features: None, IMAGES) == {"num_classes": 10, "in_features": 64}
    assert from_data(lambda in_channels, input_size: None, IMAGES) == {"in_channels": 1, "input_size": (8, 8)}
    with pytest.raises(ValueError, match="takes images"):
        from_data(lambda in_channels: None, TABLE)
    assert wanted_size(card_of("lenet5"), {}) == (28, 28) and wanted_size(card_of("mlp"), {}) is None
    assert wanted_size(card_of("lenet5"), {"input_size": 20}) == (20, 20)
    assert method_options(card_of("mlp")) == ["hidden", "activation", "dropout"]


@pytest.mark.parametrize(("name", "module"), [("elu", nn.ELU), ("mish", nn.Mish)])
def test_a_part_is_trained_in_the_default_network(name, module):
    learner = build(resolve(name, "digits", {"hidden": 8}), IMAGES)
    assert any(isinstance(m, module) for m in learner.modules())
    assert learner.predict(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_optimizers_and_schedules_are_those_that_were_asked_for():
    recipe = resolve("mlp", "digits", {"optimizer": "sgd(lr=0.3, momentum=0.8)", "schedule": "lr_cosine"})
    learner = build(recipe, TABLE)
    optimizers = make_optimizers(recipe, learner, card_of("mlp"))
    group = optimizers["all"].param_groups[0]
    assert isinstance(optimizers["all"], torch.optim.SGD) and (group["lr"], group["momentum"]) == (0.3, 0.8)
    schedule = make_schedules(recipe, optimizers, 40, card_of("mlp"))["all"]
    for _ in range(20):
        optimizers["all"].step()
        schedule.step()
    assert group["lr"] == pytest.approx(0.15)  # half of the way down the cosine


def test_each_player_has_its_own_optimizer():
    recipe = resolve("gan_nonsaturating", "digits", {})
    learner = build(recipe, IMAGES)
    optimizers = make_optimizers(recipe, learner, card_of("gan_nonsaturating"))
    moved = [id(p) for o in optimizers.values() for p in o.param_groups[0]["params"]]
    assert set(optimizers) == {"critic", "generator"} and len(moved) == len(set(moved))
    assert optimizers["critic"].param_groups[0]["betas"] == (0.5, 0.999)


def test_what_draws_its_own_batches_augments_them_itself():
    """`augment` is mean_teacher's own option, and of other methods a field of the recipe."""
    own, other = (resolve(name, "digits", {"augment": "gaussian_noise"}) for name in ("mean_teacher", "mlp"))
    assert own.options["augment"] == "gaussian_noise" and own.augment is None
    assert other.augment == "gaussian_noise" and "augment" not in other.options

import pytest

from torchatlas.cards.reader import UnknownName
from torchatlas.engine.errors import UsageError
from torchatlas.study.training.parts import named_options
from torchatlas.study.training.resolve import card_of, resolve


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "adam"}, "activation=adam: adam is an optimizer, not an activation"),
        ({"activation": "relu(slope=1)"}, "relu has no option 'slope'"),
        ({"activation": "leaky_relu(negative_slop=1)"}, "did you mean negative_slope"),
        ({"optimizer": "sgd(foo=1)"}, "sgd has no option 'foo'; it takes lr"),
        ({"optimizer": "sgd(params=1)"}, "sgd has no option 'params'"),
        ({"optimizer.momentun": 1, "optimizer": "sgd"}, "did you mean momentum"),
        ({"schedule": "lr_cosine(foo=1)"}, "lr_cosine has no option 'foo'"),
        ({"loss": "cross_entropy(foo=1)"}, "cross_entropy has no option 'foo'"),
        ({"loss": "cross_entropy(foo)"}, "write it as"),
        ({"schedule": "lr_step"}, r"lr_step needs step_size: write lr_step\(step_size=3\)"),
        ({"schedule": "lr_exponential"}, r"write lr_exponential\(gamma=0.9\)"),
    ],
)
def test_what_is_found_before_a_run(settings, message):
    with pytest.raises(UsageError, match=message):
        resolve("mlp", "iris", settings)


def test_a_name_that_is_none():
    with pytest.raises(UnknownName, match="did you mean relu"):
        resolve("mlp", "iris", {"activation": "rellu"})


@pytest.mark.parametrize(
    "settings",
    [
        {"activation": "torch.nn:Mish"},
        {"activation": "leaky_relu(negative_slope=0.1)"},
        {"optimizer": "torch.optim:SGD(momentum=0.5)"},
        {"schedule": "lr_cosine"},
        {"schedule": "lr_step(step_size=3)"},
        {"schedule": "lr_cyclic(step_size_up=3)"},
        {"loss": "torch.nn:MultiMarginLoss(margin=2.0)"},
    ],
)
def test_what_is_right_stays_accepted(settings):
    assert resolve("mlp", "iris", settings).method == "mlp"


def test_a_schedule_that_needs_a_word_says_how_to_train_with_it():
    with pytest.raises(UsageError, match=r"train mlp --set 'schedule=lr_step\(step_size=3\)'"):
        resolve("lr_step", "iris", {})


def test_only_options_whose_default_is_a_name_are_names():
    assert named_options(card_of("lenet5")) == {"activation": "activation"}  # pooling="max" is its own word
    assert resolve("lenet5", "digits", {"pooling": "subsampling"}).options == {"pooling": "subsampling"}

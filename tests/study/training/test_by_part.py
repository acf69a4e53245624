import pytest
import torch

from torchatlas.cards.reader import find
from torchatlas.data import Spec
from torchatlas.engine.errors import UsageError
from torchatlas.engine.learner import mean_scores
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.stackable import refusal
from torchatlas.study.training.build import build, make_optimizers, make_schedules
from torchatlas.study.training.by_part import rate_groups
from torchatlas.study.training.resolve import resolve

IMAGES = Spec("image", (1, 8, 8), "classification", 3, ("a", "b", "c"))
CARD = find("resnet20_cifar")


def recipe_of(method="resnet20_cifar", **settings):
    small = {"depth": 8, "input_size": (8, 8)} if method == "resnet20_cifar" else {}
    return resolve(method, "pictures", {"schedule": None, **small, **settings})


def learner_of(**settings):
    torch.manual_seed(0)
    return build(recipe_of(**settings), IMAGES).train()


def batch(seed=0):
    numbers = torch.Generator().manual_seed(seed)
    return torch.randn(12, 1, 8, 8, generator=numbers), torch.arange(12) % 3


class Rows:
    """Always new rows."""

    draws, steps_per_epoch = False, 4

    def batch(self, step, turn, learner):
        return batch(step)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def loop_of(steps=4, **settings):
    recipe, learner = recipe_of(**settings), learner_of(**settings)
    optimizers = make_optimizers(recipe, learner, CARD)
    schedules = make_schedules(recipe, optimizers, steps, CARD)
    validate = lambda each: mean_scores(each, [batch(99)])  # noqa: E731
    plan = Plan(steps, validate_every=1, clip=recipe.clip)
    return Loop(learner, Rows(), optimizers, plan, schedules=schedules, validate=validate)


@pytest.mark.parametrize(
    ("text", "frozen"),
    [
        ("stem", "stem"),
        ("stem, stage2", "stem stage2"),
        ("stem-stage2", "stem stage1 stage2"),
        ("body", "stem stage1 stage2 stage3 neck"),
        ("stage2-head", "stage2 stage3 neck head"),
    ],
)
def test_parts_are_named_one_by_one_or_as_a_range(text, frozen):
    learner = learner_of(freeze=text)
    assert learner.network.frozen == tuple(frozen.split())
    owned = {id(p) for p in learner.owned("all")}
    kept = {id(p) for name in frozen.split() for p in learner.network.parts()[name].parameters()}
    assert owned.isdisjoint(kept) and len(owned) + len(kept) == len(list(learner.parameters()))


@pytest.mark.parametrize("text", ["layer1", "stem-layer1", "stage2-stem", "", "stem,,stage1", "stem-"])
def test_wrong_parts_are_told(text):
    with pytest.raises(
        UsageError, match=r"freeze=.*stem, stage1, stage2, stage3, neck, head.*or body"
    ) as told:
        learner_of(freeze=text)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["body,head", "stem-head"])
def test_something_must_be_left_to_train(text):
    with pytest.raises(UsageError, match="leaves nothing to train: leave out the head"):
        learner_of(freeze=text)


@pytest.mark.parametrize("word", [{"freeze": "body"}, {"layer_decay": 0.5}])
def test_networks_without_parts(word):
    with pytest.raises(
        UsageError, match=r"is for networks of named parts, .* and MLP has none: leave it out"
    ):
        recipe, learner = recipe_of("mlp", **word), build(recipe_of("mlp", **word), IMAGES)
        make_optimizers(recipe, learner, find("mlp"))


def test_the_loop_touches_nothing_that_is_frozen():
    loop = loop_of(freeze="stem-stage2", clip=1e-3, lr=0.5)
    network = loop.learner.network
    kept = [network.parts()[name] for name in network.frozen]
    before = [t.clone() for part in kept for t in part.state_dict().values()]
    loop.run()
    assert all(torch.equal(t, b) for t, b in zip((t for p in kept for t in p.state_dict().values()), before))
    assert all(p.grad is None and not p.requires_grad for p in network.frozen_parameters())
    assert not any(m.training for part in kept for m in part.modules()) and network.stages[2].training
    assert len(loop.optimizers["all"].state) == len(loop.owned["all"])


def test_a_frozen_head_leaves_the_step_of_the_rest_as_it_is():
    free, frozen = loop_of(1), loop_of(1, freeze="head")
    free.run()
    frozen.run()
    mine, theirs = frozen.learner.network, free.learner.network
    assert all(torch.equal(a, b) for a, b in zip(mine.stages.parameters(), theirs.stages.parameters()))
    assert not torch.equal(mine.head.weight, theirs.head.weight)


def test_rates_fall_with_the_depth_below_the_head():
    learner = learner_of()
    groups = rate_groups(learner, "all", 0.5)
    assert [share for share, _ in groups] == [1, 0.5, 0.25, 0.125, 0.0625]  # the neck has no weights
    parts = learner.network.parts()
    for (_, owned), name in zip(groups, ("head", "stage3", "stage2", "stage1", "stem"), strict=True):
        assert list(map(id, owned)) == list(map(id, parts[name].parameters()))
    assert rate_groups(learner, "all", None) == [(1.0, learner.owned("all"))]


def test_frozen_parts_have_no_rate_and_the_others_keep_theirs():
    assert [share for share, _ in rate_groups(learner_of(freeze="stem,stage3"), "all", 0.5)] == [
        1,
        0.25,
        0.125,
    ]


@pytest.mark.parametrize("optimizer", ["sgd(momentum=0.9)", "adamw", "sam", "lookahead"])
def test_optimizers_have_these_rates(optimizer):
    loop = loop_of(optimizer=optimizer, lr=0.2, layer_decay=0.5)
    assert [g["lr"] for g in loop.optimizers["all"].param_groups] == [0.2, 0.1, 0.05, 0.025, 0.0125]
    whole, cut = loop_of(optimizer=optimizer, lr=0.01), loop_of(optimizer=optimizer, lr=0.01, layer_decay=1)
    whole.run()
    cut.run()
    one, other = whole.learner.state_dict(), cut.learner.state_dict()
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=1e-5, atol=1e-6)


def test_a_step_of_sgd_goes_as_far_as_its_rate():
    plain, decayed = (loop_of(1, optimizer="sgd", lr=0.1, **word) for word in ({}, {"layer_decay": 0.5}))
    start = {name: p.clone() for name, p in plain.learner.network.named_parameters()}
    for loop in (plain, decayed):
        loop.run()
    shares = {"head": 1, "stages.2": 0.5, "stages.1": 0.25, "stages.0": 0.125, "stem": 0.0625}
    for name, p in decayed.learner.network.named_parameters():
        share = next(share for part, share in shares.items() if name.startswith(part))
        whole = plain.learner.network.get_parameter(name) - start[name]
        torch.testing.assert_close(p - start[name], share * whole, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    "schedule",
    [
        "lr_cosine",
        "lr_warmup",
        "lr_poly",
        "lr_cyclic",
        "lr_cyclic(base_lr=0.01, max_lr=0.3)",
        "lr_swalr(swa_lr=0.05, anneal_epochs=2)",
        "lr_inverse_sqrt(warmup=2)",
    ],
)
def test_schedules_keep_the_shares(schedule):
    loop = loop_of(schedule=schedule, optimizer="sgd", lr=0.2, layer_decay=0.5)
    optimizer, plain = loop.optimizers["all"], loop_of(schedule=schedule, optimizer="sgd", lr=0.2)
    for _ in range(4):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([rates[0] * 0.5**k for k in range(5)])
        assert rates[0] == pytest.approx(plain.optimizers["all"].param_groups[0]["lr"])
        for each in (loop, plain):
            each._one_step()


def test_a_state_with_groups_comes_back():
    whole, cut, again = (loop_of(6, schedule="lr_cosine", layer_decay=0.6, freeze="stem") for _ in range(3))
    for loop in (whole, cut):
        loop._begin()
    for _ in range(6):
        whole._one_step()
    for _ in range(3):
        cut._one_step()
    again.load_state(cut.state())
    again._begin()
    for _ in range(3):
        again._one_step()
    for name, tensor in whole.learner.state_dict().items():
        assert torch.equal(again.learner.state_dict()[name], tensor), name


def test_seeds_with_rates_of_their_own_train_apart():
    assert refusal(loop_of(layer_decay=0.5)) == "its weights have rates of their own"
    assert "rates" not in refusal(loop_of(freeze="stem"))


def test_an_optimizer_without_groups_is_told():
    with pytest.raises(UsageError, match="does not take these options"):
        loop_of(optimizer="torch.optim:LBFGS", layer_decay=0.5)

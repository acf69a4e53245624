import copy
import pickle

import pytest
import torch

from torchatlas import create
from torchatlas.cards.reader import UnknownName, UnknownOption
from torchatlas.engine.errors import UsageError

WRAPPERS = ("agc", "lookahead", "sam", "zeroth_order", "forward_gradient")


def weights(count=2):
    return [torch.nn.Parameter(torch.linspace(-1, 2, 6).reshape(2, 3) + k) for k in range(count)]


def closure(optimizer, params):
    def loss():
        optimizer.zero_grad()
        value = sum(((p - k) ** 2).sum() for k, p in enumerate(params))
        value.backward()
        return value

    return loss


@pytest.mark.parametrize("name", WRAPPERS)
def test_schedules_reach_the_base(name):
    optimizer = create(name, weights(), base="adam", lr=0.5)
    schedule = create("lr_step", optimizer, step_size=1)
    optimizer.step(closure(optimizer, optimizer.param_groups[0]["params"]))
    schedule.step()
    assert optimizer.base.param_groups[0]["lr"] == pytest.approx(0.05)


@pytest.mark.parametrize("name", WRAPPERS)
def test_state_of_wrapper_and_base_is_taken_back(name):
    params = weights()
    optimizer = create(name, params, base="adam", lr=0.1)
    schedule = create("lr_exponential", optimizer, gamma=0.9)
    for _ in range(4):
        optimizer.step(closure(optimizer, params))
        schedule.step()
    others = [torch.nn.Parameter(p.detach().clone()) for p in params]
    second = create(name, others, base="adam", lr=0.7)
    other_schedule = create("lr_exponential", second, gamma=0.9)
    second.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    other_schedule.load_state_dict(schedule.state_dict())
    assert second.base.param_groups is second.param_groups
    for _ in range(4):
        for one, mine, steps in ((optimizer, params, schedule), (second, others, other_schedule)):
            one.step(closure(one, mine))
            steps.step()
    assert all(torch.equal(a, b) for a, b in zip(params, others, strict=True))


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_walks_alike(name, twin):
    optimizer = create(name, weights(), base="adam", lr=0.1)
    optimizer.step(closure(optimizer, optimizer.param_groups[0]["params"]))
    other = twin(optimizer)
    assert other.param_groups is other.base.param_groups
    ends = []
    for one in (optimizer, other):
        params = one.param_groups[0]["params"]
        for _ in range(5):
            one.step(closure(one, params))
        ends.append(params)
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_bases_are_names_names_with_options_or_callables():
    rates = [
        (create("sam", weights(), base="sgd"), 0.1),  # as its card says
        (create("sam", weights(), base="sgd(lr=0.3, momentum=0.5)"), 0.3),
        (create("sam", weights(), base="sgd(lr=0.3)", lr=0.2), 0.2),
        (create("sam", weights(), base="adam"), 0.001),
        (create("sam", weights(), base=torch.optim.Adagrad, lr=0.25), 0.25),
        (create("sam", weights(), base="lookahead(base='sgd')", lr=0.25), 0.25),
    ]
    for optimizer, rate in rates:
        assert optimizer.param_groups[0]["lr"] == rate
    assert rates[1][0].base.param_groups[0]["momentum"] == 0.5


def test_wrong_bases_are_refused_in_words():
    for base, error, word in (
        ("sgdm2", UnknownName, "sgdm2"),
        ("sgd(momentun=0.9)", UnknownOption, "did you mean momentum"),
        ("sgd(0.1)", UsageError, "name with options"),
        ("relu", UsageError, "no optimizer"),
        (lambda params, lr=0: 3, UsageError, "no optimizer"),
    ):
        with pytest.raises(error, match=word):
            create("sam", weights(), base=base)


def test_groups_keep_their_own_options_and_new_ones_are_taken_up():
    params = weights(3)
    groups = [{"params": params[:1], "lr": 0.5}, {"params": params[1:2]}]
    optimizer = create("lookahead", groups, base="sgd(momentum=0.9)", lr=0.1)
    optimizer.add_param_group({"params": params[2:], "lr": 0.0})
    assert [group["lr"] for group in optimizer.base.param_groups] == [0.5, 0.1, 0.0]
    before = params[2].detach().clone()
    optimizer.step(closure(optimizer, params))
    assert torch.equal(params[2], before) and not torch.equal(params[1], weights(2)[1])

import copy
import shutil

import numpy as np
import pytest
import torch

from torchatlas.data.spec import Spec
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.errors import UsageError
from torchatlas.engine.loop import Loop, Plan
from torchatlas.engine.randomness import reseed
from torchatlas.learning.reinforcement import DQN
from torchatlas.study.laws.agents import PLACES, Corridor, corridor, optimal
from toys import same_weights


def learner(**options):
    return DQN.for_data(
        corridor().spec,
        **{"hidden": (8,), "environment": Corridor, "memory": 100, "reward_scale": 1.0} | options,
    )


def batch(count=32, seed=0):
    draw = np.random.default_rng(seed)
    before, after = (torch.from_numpy(draw.normal(size=(count, PLACES))) for _ in range(2))
    action, ended = (torch.from_numpy(draw.integers(0, 2, count)) for _ in range(2))
    return before, action, torch.from_numpy(3 * draw.normal(size=count)), after, ended.double()


def values_of(network, x):
    """A perceptron in NumPy."""
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    h = np.asarray(x)
    for k, layer in enumerate(layers):
        h = h @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        h = h if k + 1 == len(layers) else np.maximum(h, 0)
    return h


def test_the_loss_is_the_paper_s_in_plain_numbers():
    one = learner(discount=0.9).double()
    with torch.no_grad():
        for parameter in one.network.parameters():
            parameter.add_(torch.randn_like(parameter))  # the target is another network now
    before, action, reward, after, ended = batch()
    total = 0.0
    for k in range(32):
        best = max(values_of(one.target, after[k]))
        goal = float(reward[k]) + (0.0 if ended[k] else 0.9 * best)
        error = abs(goal - values_of(one.network, before[k])[action[k]])
        total += 0.5 * error**2 if error <= 1 else error - 0.5
    loss, told = one.loss("all", (before, action, reward, after, ended))
    assert float(loss.detach()) == pytest.approx(total / 32, rel=1e-12)
    chosen = values_of(one.network, before)[np.arange(32), action.numpy()]
    assert float(told["value"].detach()) == pytest.approx(chosen.mean(), rel=1e-12)


def test_no_gradient_reaches_the_target_and_nobody_owns_it():
    one = learner().double()
    assert {id(p) for p in one.owned("all")} == {id(p) for p in one.network.parameters()}
    assert [tuple(b.shape) for b in one.target.buffers()] == [
        tuple(p.shape) for p in one.network.parameters()
    ]
    before, action, reward, after, ended = batch()
    after.requires_grad_()
    one.loss("all", (before, action, reward, after, ended))[0].backward()
    assert after.grad is None


def test_the_target_is_copied_after_every_period():
    one, moved = learner(period=3), []
    for step in range(9):
        with torch.no_grad():
            for parameter in one.network.parameters():
                parameter.add_(1.0)
        before = copy.deepcopy(one.target)
        one.updated("all", step)
        moved.append(not same_weights(before, one.target))
        if moved[-1]:
            assert same_weights(one.network, one.target)
    assert moved == [False, False, True] * 3


@pytest.mark.parametrize(
    ("step", "share"), [(0, 1.0), (5, 0.775), (10, 0.55), (19, 0.145), (20, 0.1), (90, 0.1)]
)
def test_exploration_falls_evenly_and_stays(step, share):
    one = learner(epsilon=0.1, exploration=0.2)
    one.planned(100, 10)
    assert one.epsilon(step) == pytest.approx(share, abs=1e-12)


def test_a_budget_of_time_explores_less_and_less_all_the_same():
    one = learner()
    one.planned(10**9, 1000)
    assert one.epsilon(100_000) == one.least


def trained(steps, folder=None, **options):
    reseed("cpu", "init")
    one = learner(**{"hidden": (), "memory": 400} | options).double()
    optimizer = torch.optim.SGD(one.owned("all"), lr=2.0)
    store = Store(folder) if folder else None
    plan = Plan(steps=steps, validate_every=10**6, save_every_steps=10)
    return Loop(one, one.source(corridor(), 64, 0, "cpu"), {"all": optimizer}, plan, store=store)


def test_a_table_of_values_becomes_that_of_value_iteration():
    loop = trained(400, period=20, discount=0.9, exploration=1.0, epsilon=1.0)
    loop.run()
    one = loop.learner
    found = one.network(torch.eye(PLACES, dtype=torch.double)).detach()
    torch.testing.assert_close(found[1:-1], optimal(0.9)[1:-1], rtol=0, atol=1e-6)
    assert one.scores((torch.arange(3),))["return"].tolist() == pytest.approx([1.8, 1.9, 2.0])


def test_killed_and_resumed_it_ends_in_the_same_bits(tmp_path):
    whole = trained(60, tmp_path, hidden=(8,), memory=40)
    whole.run()
    for step in (50, 60):  # as if it had been killed before them
        shutil.rmtree(whole.store.path(step))
    broken = trained(60, tmp_path, hidden=(8,), memory=40)
    assert broken.resume() and broken.step == 40
    broken.run()
    assert same_weights(whole.learner, broken.learner)
    left, right = whole.state()["source"], broken.state()["source"]
    assert all(torch.equal(left["ring"][name], right["ring"][name]) for name in left["ring"])
    assert left["episodes"] == right["episodes"] and left["count"] == right["count"]


def test_wrong_words_are_told():
    with pytest.raises(UsageError, match="say gym:CartPole-v1"):
        DQN.for_data(Spec("table", (4,), "classification", 2))
    for wrong in ({"period": 0}, {"discount": 1.5}, {"epsilon": -0.1}, {"exploration": 0.0}):
        with pytest.raises(UsageError, match="within"):
            learner(**wrong)

import numpy as np
import pytest
import torch

from torchatlas.data.experience import Replay, returns
from torchatlas.engine.errors import AtlasError, UsageError
from torchatlas.engine.randomness import reseed


class Counting:
    """Sees (episode's seed, step); ends after 3 + seed % 4 steps, and is cut there where the seed is odd."""

    noise = 0.0

    def reset(self, *, seed=None):
        self.seed, self.steps = seed, 0
        return self._seen(), {}

    def step(self, action):
        self.steps += 1
        self.noise += action * type(self).noise
        over = self.steps == 3 + self.seed % 4
        return self._seen(), 10.0 * action, over and self.seed % 2 == 0, over and self.seed % 2 == 1, {}

    def _seen(self):
        return np.array([self.seed % 1000, self.steps + self.noise], dtype=np.float32)

    def close(self):
        pass


class Coin:
    """A learner that acts at random and writes down at which steps it was asked."""

    def __init__(self):
        self.asked = []

    def act(self, observations, step):
        self.asked.append((len(observations), step))
        return torch.randint(2, (len(observations),))


def replay(capacity=50, batch_size=16, seed=0, make=Counting, **options):
    return Replay(make, (2,), capacity, batch_size, seed, **options)


def lived(source, steps, learner=None, first=0):
    learner = learner or Coin()
    for step in range(first, first + steps):
        reseed("cpu", 0, step)
        batch = source.batch(step, 0, learner)
    return batch


def test_transitions_follow_each_other_and_only_ends_are_ends():
    source = replay(capacity=400, batch_size=2000, actors=2, reward_scale=0.5)
    before, action, reward, after, ended = lived(source, 100)
    assert torch.equal(before[:, 0], after[:, 0])  # what is seen after is never the next episode's start
    assert torch.equal(after[:, 1], before[:, 1] + 1)
    assert torch.equal(reward, 0.5 * 10 * action.float())
    seeds, last = before[:, 0].long(), after[:, 1] == 3 + before[:, 0] % 4
    assert torch.equal(ended.bool(), last & (seeds % 2 == 0))
    assert (last & (seeds % 2 == 1)).any() and ended.any()


def test_the_ring_keeps_the_newest():
    source, kept = replay(capacity=10, actors=3), []

    class Watched(Coin):
        def act(self, observations, step):
            kept.extend(observations.clone())
            return super().act(observations, step)

    lived(source, 9, Watched())
    assert source.size == 10 and source.count == 27
    assert {tuple(row.tolist()) for row in source.ring["before"]} == {tuple(r.tolist()) for r in kept[-10:]}


@pytest.mark.parametrize(("steps", "size"), [(30, 30), (60, 40)])
def test_every_transition_is_drawn_as_often(steps, size):
    """Chi-squared of 40,000 draws, before a memory of 40 is full and after."""
    source, draws = replay(capacity=40), 40_000
    lived(source, steps)
    source.ring["reward"] = torch.arange(40.0)  # each names its row
    source.batch_size = draws
    reseed("cpu", 0)
    rows = source.batch(steps, 1, Coin())[2]
    counts = torch.bincount(rows.long(), minlength=size).double()
    chi_squared = float(((counts - draws / size) ** 2 / (draws / size)).sum())
    assert len(counts) == size
    assert abs(chi_squared - (size - 1)) < 5 * (2 * (size - 1)) ** 0.5


def test_it_begins_when_enough_is_there_and_acts_once_a_step():
    source, learner = replay(warmup=20, actors=4), Coin()
    source.batch(7, 0, learner)
    assert learner.asked == [(4, 0)] * 5 + [(4, 7)]
    source.batch(7, 1, learner)  # another player's turn of the same step
    assert len(learner.asked) == 6 and source.count == 24


def test_the_same_seed_lives_through_the_same_and_another_does_not():
    batches = [lived(replay(seed=seed), 20) for seed in (1, 1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(batches[0], batches[1], strict=True))
    assert not torch.equal(batches[0][0], batches[2][0])


@pytest.mark.parametrize("capacity", [12, 500])
def test_a_state_goes_on_exactly(capacity):
    whole = replay(capacity=capacity, actors=3)
    lived(whole, 17)
    state = whole.state_dict()
    expected = lived(whole, 9, first=17)
    broken = replay(capacity=capacity, actors=3)
    lived(broken, 5)
    broken.load_state_dict(state)
    found = lived(broken, 9, first=17)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert len(state["ring"]["before"]) == min(capacity, 51)  # and not the memory of what came later


def test_an_environment_that_does_not_repeat_itself_is_told(monkeypatch):
    source = replay()
    source.load_state_dict(source.state_dict())
    monkeypatch.setattr(Counting, "noise", 0.5)
    source.actors[0].step(1)
    source.now = torch.tensor(source.actors[0].observation)[None]
    with pytest.raises(AtlasError, match="cannot go on exactly"):
        source.load_state_dict(source.state_dict())


def test_a_memory_that_cannot_hold_what_is_asked_is_refused():
    for wrong in (
        {"capacity": 0},
        {"warmup": 51},
        {"warmup": -1},
        {"actors": 51},
        {"actors": 0},
        {"batch_size": 0},
    ):
        with pytest.raises(UsageError, match="cannot hold"):
            replay(**wrong)


def test_numbers_have_the_precision_asked_for():
    before, action, *rest = lived(replay(like=torch.zeros((), dtype=torch.double)), 3)
    assert action.dtype == torch.long and {t.dtype for t in (before, *rest)} == {torch.double}


def test_episodes_are_played_side_by_side_and_each_alone():
    calls = []

    def policy(seen):
        calls.append(len(seen))
        return (seen[:, 1] >= 2).long()  # pays 10 from the third step on

    assert returns(Counting, policy, [4, 5, 6, 7, 4]).tolist() == [10, 20, 30, 40, 10]
    assert calls == [5, 5, 5, 3, 2, 1]

"""The laws of agents hold for those of the catalog and catch formulas that are wrong in one place."""

import pytest
import torch

from torchatlas.cards.reader import find
from torchatlas.data.experience import Replay
from torchatlas.data.experience.replay import Actor
from torchatlas.learning.reinforcement import DQN
from torchatlas.study.laws import agents

CARD = find("dqn")


@pytest.mark.parametrize("law", agents.LAWS)
def test_dqn_keeps_them(law):
    law(CARD)


def goals(change):
    """The goals with one thing changed; `change` is (reward, discount, best value after, ended)."""

    def changed(self, reward, after, ended):
        return change(reward, self.discount, self.target(after).detach(), ended)

    return changed


def ended_at_cuts(self, action):
    after, reward, terminated, truncated, _ = self.environment.step(action)
    self.actions.append(action)
    self.observation = after
    if terminated or truncated:
        self.start(self.episode + 1)
    return after, float(reward), terminated or truncated


def seen_after_reset(step):
    def changed(self, action):
        _, reward, ended = step(self, action)
        return self.observation, reward, ended

    return changed


def forgets_actions(load):
    return lambda self, episode, actions: load(self, episode, actions[:-1])


BROKEN = [
    (DQN, "goals", goals(lambda r, g, q, d: r + g * q.amax(1)), "optimal_values_have_no_loss"),
    (DQN, "goals", goals(lambda r, g, q, d: r + (1 - d) * q.amax(1)), "optimal_values_have_no_loss"),
    (DQN, "goals", goals(lambda r, g, q, d: r + g * (1 - d) * q.mean(1)), "optimal_values_have_no_loss"),
    (DQN, "goals", goals(lambda r, g, q, d: r - g * (1 - d) * q.amax(1)), "loss_is_the_clipped_error"),
    (DQN, "updated", lambda self, player, step: None, "the_target_moves_at_its_period"),
    (DQN, "epsilon", lambda self, step: 0.5, "exploration_fades_evenly"),
    (DQN, "epsilon", lambda self, step: max(self.least, 1 - step / self.fading), "exploration_fades_evenly"),
    (DQN, "greedy", lambda self, seen: self.network(seen).argmin(1), "exploration_fades_evenly"),
    (Actor, "step", ended_at_cuts, "a_cut_is_no_end"),
    (Actor, "step", seen_after_reset(Actor.step), "a_cut_is_no_end"),
    (Actor, "load", forgets_actions(Actor.load), None),
    (Replay, "load_state_dict", lambda self, state: None, "experience_goes_on_exactly"),
]


@pytest.mark.parametrize(("part", "word", "thing", "law"), BROKEN)
def test_a_broken_agent_is_caught(monkeypatch, part, word, thing, law):
    monkeypatch.setattr(part, word, thing)
    if law is None:
        with pytest.raises(Exception, match="cannot go on exactly"):
            agents.experience_goes_on_exactly(CARD)
    else:
        with pytest.raises(AssertionError):
            getattr(agents, law)(CARD)


def test_a_squared_error_is_caught(monkeypatch):
    monkeypatch.setattr(torch.nn.functional, "huber_loss", torch.nn.functional.mse_loss)
    with pytest.raises(AssertionError):
        agents.loss_is_the_clipped_error(CARD)

import numpy as np
import pytest
import torch

from torchatlas.data import open_dataset, prepare
from torchatlas.data.preparation import Preparation
from torchatlas.engine.errors import DataError, UsageError


def test_an_environment_is_data_whose_rows_are_episodes(tmp_path):
    dataset = open_dataset("gym:CartPole-v1")
    prepared = prepare(dataset, seed=0)
    spec = prepared.spec
    assert (spec.modality, spec.task, spec.shape, spec.outputs) == ("environment", "control", (4,), 2)
    assert spec.environment == "CartPole-v1"
    assert (len(prepared.train), len(prepared.valid), len(prepared.test)) == (0, 10, 100)
    assert not set(prepared.valid.x.tolist()) & set(prepared.test.x.tolist())
    again = prepare(open_dataset("gym:CartPole-v1"), seed=9)
    assert torch.equal(again.test.x, prepared.test.x)  # the test episodes are the same for every seed
    prepared.preparation.save(tmp_path)
    back = Preparation.load(tmp_path)
    assert back.spec == spec
    assert back.encode(np.zeros((3, 4))).shape == (3, 4)
    with pytest.raises(DataError, match="CartPole-v1 are"):
        back.encode(np.zeros((3, 5)))


def test_unknown_and_unfit_environments_are_told():
    with pytest.raises(UsageError, match="gymnasium cannot make 'CartPol-v1'"):
        open_dataset("gym:CartPol-v1")
    with pytest.raises(DataError, match="Discrete"):
        open_dataset("gym:Pendulum-v1")
    with pytest.raises(UsageError, match="gym:"):
        open_dataset("gym:")

"""An agent killed without warning, in the midst of episodes, ends in the bytes of an untouched run."""

import random
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL and no fork here", allow_module_level=True)
pytest.importorskip("gymnasium")

from tools.soak import cases, soak


def test_killed_in_the_midst_of_episodes_and_the_same_bytes(tmp_path):
    (case,) = (case for case in cases(tmp_path) if case.name == "dqn")
    row = soak(case, 4, 0, tmp_path, random.Random(0))
    assert not row.wrong and row.kills >= 4 and row.runs >= 1, row

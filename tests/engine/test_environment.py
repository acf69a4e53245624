import pytest
import torch

from torchatlas.engine.environment import pick_device, repeatable
from torchatlas.engine.errors import UsageError


@pytest.mark.parametrize("wish", ["foo", "gpu", "cuda:x", "", "meta"])
def test_a_word_that_is_no_device_is_told_in_short(wish):
    with pytest.raises(UsageError) as caught:
        pick_device(wish)
    assert str(caught.value) == f"no device is called {wish!r}; say cpu, cuda, cuda:0, mps or auto"


def test_the_cpu_is_always_there():
    assert pick_device("cpu").type == "cpu" and pick_device().type in ("cpu", "cuda", "mps")


def test_on_cuda_algorithms_are_deterministic_and_afterwards_as_before(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(torch.device("cuda")):
        assert torch.are_deterministic_algorithms_enabled()
        with repeatable(torch.device("cpu")):
            assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.are_deterministic_algorithms_enabled()

"""What a process pays in pages for memory that it frees and asks for again."""

import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys, torch
from torchatlas.engine.heap import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed() and keep_freed()
def work():
    for _ in range(20):  # more than glibc keeps by itself, in blocks small and large
        blocks = [torch.ones(size, dtype=torch.uint8) for size in (2**20, 2**23, 2**26)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries stay as they are")
def test_memory_that_is_freed_is_not_fetched_anew():
    assert faults("keep") < 0.05 * faults("leave")

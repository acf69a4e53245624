"""Starting: whole processes, one after another in rounds, so that all meet the same machine."""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

COMMANDS = {
    "`torchatlas list`": [str(Path(sys.executable).with_name("torchatlas")), "list"],
    "`import torchatlas`": "import torchatlas",
    "`import torchatlas; torchatlas.train`": "import torchatlas; torchatlas.train",
    "`import torch`": "import torch",
    "`import lightning`": "import lightning",
    "`import transformers`": "import transformers",
    "`from transformers import Trainer`": "from transformers import Trainer",
    "`import timm`": "import timm",
}


def measure(count: int) -> dict[str, Any]:
    """Seconds of each command; a sentence where one does not run."""
    told: dict[str, Any] = {}
    seconds: dict[str, list[float]] = {}
    for k in range(count + 1):  # the first round fills the caches
        for name, what in COMMANDS.items():
            if name in told:
                continue
            command = [sys.executable, "-c", what] if isinstance(what, str) else what
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
            if done.returncode:
                told[name] = done.stderr.strip().rpartition("\n")[2]
            elif k:
                seconds.setdefault(name, []).append(time.perf_counter() - began)
    spread = {name: [*quantiles(times, n=4)[::2], median(times)] for name, times in seconds.items()}
    return {"seconds": spread, "failed": told}

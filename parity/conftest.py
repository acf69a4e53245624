"""Our methods beside other people's: `same` compares and keeps the difference; the session tells them all."""

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here asks the network
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np
import pytest
import torch
import torchvision_operators  # noqa: F401  before anything imports torchvision

from torchatlas import catalog, find

NAMES = {"sklearn": "scikit-learn", "pytorch_metric_learning": "pytorch-metric-learning"}
COLUMNS = ("method", "peer", "version", "tolerance", "largest difference")


class Seen(NamedTuple):
    """One row of the table."""

    method: str
    peer: str
    tolerance: float
    difference: float


Same = Callable[[str, str, Any, Any, float], None]


def array(values: Any) -> np.ndarray:
    """Numbers of any library in double precision."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values.long()
    return np.asarray(values, dtype=np.float64)


def apart(ours: Any, theirs: Any) -> float:
    """The largest difference, of numbers above 1 as a share of theirs; inf where shapes, infinities or gaps
    are not the same."""
    a, b = array(ours), array(theirs)
    known = np.isfinite(b)
    if a.shape != b.shape or not np.array_equal(a[~known], b[~known], equal_nan=True):
        return np.inf
    if not known.any():
        return 0.0
    difference = float((np.abs(a[known] - b[known]) / np.maximum(1.0, np.abs(b[known]))).max())
    return difference if np.isfinite(difference) else np.inf


@pytest.fixture
def same(request: pytest.FixtureRequest) -> Same:
    """`same(method, peer, ours, theirs, tolerance)`: they are equal up to a tolerance, and it is noted."""

    def compare(method: str, peer: str, ours: Any, theirs: Any, tolerance: float) -> None:
        seen = Seen(find(method).name, peer, tolerance, apart(ours, theirs))
        assert seen.difference <= tolerance, f"{method} and {peer} are {seen.difference:.3g} apart"
        request.node.user_properties.append(("parity", json.dumps(seen)))

    return compare


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every comparison draws the same numbers, whatever ran before it."""
    torch.manual_seed(0)
    np.random.seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", metavar="PATH", help="write the table of peers to this file too")


SEEN: dict[tuple[str, str], Seen] = {}  # the largest difference of each method and peer


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, text in report.user_properties if report.when == "call" else ():
        seen = Seen(*json.loads(text)) if name == "parity" else None
        if seen and report.passed:
            before = SEEN.get(seen[:2], seen)
            both = (max(seen.tolerance, before.tolerance), max(seen.difference, before.difference))
            SEEN[seen[:2]] = Seen(*seen[:2], *both)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or not SEEN:
        return
    rows = [
        (s.method, s.peer, released(s.peer), f"{s.tolerance:.0e}", f"{s.difference:.1e}")
        for s in sorted(SEEN.values())
    ]
    lines = [f"| {' | '.join(row)} |" for row in (COLUMNS, ("---",) * len(COLUMNS), *rows)]
    methods = {s.method for s in SEEN.values()}
    lines += ["", f"{len(methods)} of {len(catalog())} methods, {len(rows)} pairs."]
    terminalreporter.section("parity")
    terminalreporter.write_line("\n".join(lines))
    if path := config.getoption("--table"):
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def released(peer: str) -> str:
    """The version of a peer such as "scipy.special.expit"; a formula written out has none."""
    root = peer.partition(".")[0]
    return "" if peer.startswith("formula") else version(NAMES.get(root, root))

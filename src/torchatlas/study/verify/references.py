"""References: in a checkout, the tests that mirror a method's page, run by pytest once per page."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ...cards.card import Card
from ...cards.certificate import Line, reference_page
from .laws import LONGEST


@dataclass(frozen=True)
class Test:
    """One test as it ended."""

    name: str  # with its parameters in brackets
    passes: bool | None  # None: it was skipped
    clock: float
    message: str = ""

    __test__ = False

    def about(self, names: Iterable[str]) -> set[str]:
        """Which of a page's methods its parameters name; all of them where they name none."""
        everybody = set(names)
        return everybody & set(re.findall(r"\w+", self.name.partition("[")[2])) or everybody


def run_page(page: str, home: Path) -> list[Test]:
    """The tests of one file, run in a process of its own on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            page,
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
        ]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        tests = read_report(report) if report.is_file() else []
    if not tests and done.returncode != 0:
        words = " ".join((done.stdout + done.stderr).split())[-LONGEST:]
        return [Test(page, False, 0.0, f"pytest ended with {done.returncode}: {words}")]
    return tests


def read_report(path: Path) -> list[Test]:
    """The tests of a JUnit report."""
    return [_test(case) for case in ElementTree.parse(path).iter("testcase")]


def _test(case: ElementTree.Element) -> Test:
    name, clock = case.get("name", ""), float(case.get("time", 0))
    for child in case:
        if child.tag in ("failure", "error"):
            return Test(name, False, clock, _why(child))
        if child.tag == "skipped":
            return Test(name, None, clock)
    return Test(name, True, clock)


def _why(failure: ElementTree.Element) -> str:
    """The message; of a page that cannot be collected, which pytest does not tell, its last line."""
    message = failure.get("message") or ""
    if message == "collection failure":
        message = (failure.text or message).strip().splitlines()[-1]
    return " ".join(message.split())[:LONGEST]


def reference_line(card: Card, names: Iterable[str], tests: Iterable[Test]) -> Line:
    """What a page's tests say of one of its methods, whose `names` are given; no verdict without tests."""
    page, mine = reference_page(card), [test for test in tests if card.name in test.about(names)]
    ran = [test for test in mine if test.passes is not None]
    if not ran:
        return Line("reference", page, page, count=0, message="no test ran")
    broken = [test for test in ran if not test.passes]
    what = f"{len(broken)} of {len(ran)} tests, the first {broken[0].name}: " if broken else ""
    message = f"{what}{broken[0].message}" if broken else ""
    clock = round(sum(test.clock for test in ran), 3)
    return Line("reference", page, page, not broken, len(ran), message, clock)

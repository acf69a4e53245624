"""Does the proof prove? Formulas broken in one place, and whether `torchatlas verify` then fails.

Each mutation changes one text of one page in a copy of the tree and runs the method's laws, figures and
reference there. One that nothing catches is a gap in the proof. `python -m bench mutations [NAME…]`.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from bench.broken import MUTATIONS, Mutation
from torchatlas.cards.reader import catalog

HOME = Path(__file__).resolve().parents[1]
UNUSABLE = ("ImportError", "ModuleNotFoundError", "SyntaxError", "NameError", "AttributeError", "UnknownName")


class StaleMutation(LookupError):
    """A mutation whose text is not in its page exactly once: the page has moved on."""


@dataclass(frozen=True)
class Outcome:
    """Which laws, figures and references caught a mutation; none for one that lives."""

    mutation: Mutation
    caught_by: tuple[str, ...]
    trouble: str = ""  # why it tells nothing: the method fails unchanged, or cannot be used at all

    def __str__(self) -> str:
        found = self.trouble or ", ".join(self.caught_by) or "NOTHING CATCHES IT"
        return f"{self.mutation.method:29}  {self.mutation.what:42}  {found}"


def page_of(mutation: Mutation) -> str:
    """The page that a mutation changes, relative to the package."""
    return mutation.page or catalog()[mutation.method].page


def mutated(mutation: Mutation, text: str) -> str:
    """The page's text with its one place changed; raises `StaleMutation` where the place is not there."""
    if (count := text.count(mutation.old)) != 1:
        raise StaleMutation(
            f"{page_of(mutation)} holds {mutation.old!r} {count} times, not once: mend {mutation.method}'s "
            "mutation in bench/broken"
        )
    module = ".".join(["torchatlas", *page_of(mutation).removesuffix(".py").split("/")])
    changed = text.replace(mutation.old, mutation.new.replace("HERE", module))
    changed += f"\n\n{mutation.code}\n" if mutation.code else ""
    ast.parse(changed)
    return changed


def copied(folder: Path) -> Path:
    """A copy of what proves methods."""
    for part in ("src", "tests"):
        shutil.copytree(HOME / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOME / "pyproject.toml", folder)
    return folder


def failing(tree: Path, methods: Sequence[str], jobs: int = 1) -> dict[str, dict[str, str]]:
    """What fails when methods are verified in a tree: for each method its lines with their messages."""
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",  # two texts of one size within a second would share a cache
        "OMP_NUM_THREADS": "1",
    }
    verify = "from torchatlas.cli.verifying import verify; verify()"
    command = [sys.executable, "-c", verify, *methods, "--json", "--jobs", str(jobs)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("["):
        raise RuntimeError(f"torchatlas verify said nothing: {done.stderr[-2000:]}")
    return {
        proof["name"]: {x["name"]: x["message"] for x in proof["lines"] if x["verdict"] == "fails"}
        for proof in json.loads(done.stdout)
    }


def judged(mutation: Mutation, lines: dict[str, str]) -> Outcome:
    """An outcome from the lines that fail; a page that cannot be used would fail any test."""
    for message in lines.values():
        if any(word in message for word in UNUSABLE):
            return Outcome(mutation, (), f"UNUSABLE: {message}")
    return Outcome(mutation, tuple(lines))


def measure(mutations: Sequence[Mutation], jobs: int) -> Iterator[Outcome]:
    """Each mutation as it was caught, or not; of a method that fails unchanged it tells nothing."""
    texts = [mutated(m, (HOME / "src/torchatlas" / page_of(m)).read_text()) for m in mutations]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        trees: Queue[Path] = Queue()
        for k in range(jobs):
            trees.put(copied(Path(name) / str(k)))
        unchanged = failing(Path(name) / "0", list(dict.fromkeys(m.method for m in mutations)), jobs)

        def one(mutation: Mutation, text: str) -> Outcome:
            if unchanged[mutation.method]:
                return Outcome(mutation, (), f"FAILS UNCHANGED: {', '.join(unchanged[mutation.method])}")
            tree = trees.get()
            page = tree / "src/torchatlas" / page_of(mutation)
            before = page.read_text()
            page.write_text(text)
            try:
                return judged(mutation, failing(tree, [mutation.method])[mutation.method])
            finally:
                page.write_text(before)
                trees.put(tree)

        yield from pool.map(one, mutations, texts)


def main(names: Iterable[str] = ()) -> int:
    """Print a line per mutation and the share caught; 1 where one lives."""
    wanted = set(names)
    mutations = [m for m in MUTATIONS if not wanted or m.method in wanted]
    outcomes = []
    for outcome in measure(mutations, os.cpu_count() or 1):
        print(outcome, flush=True)
        outcomes.append(outcome)
    caught = sum(bool(outcome.caught_by) for outcome in outcomes)
    methods = len({outcome.mutation.method for outcome in outcomes})
    share = f"{caught / len(outcomes):.0%}" if outcomes else "none"
    print(f"{caught} of {len(outcomes)} mutations of {methods} methods caught: {share}")
    by = Counter(
        "reference" if name.startswith("tests/") else "law" for o in outcomes for name in o.caught_by
    )
    print(f"failing lines: {by['law']} laws and figures, {by['reference']} references")
    return int(caught < len(outcomes))

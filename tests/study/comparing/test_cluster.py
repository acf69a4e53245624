"""A comparison on a Dask cluster: a scheduler and workers in processes of their own, on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from torchatlas.engine.errors import AtlasError, Interrupted, UsageError
from torchatlas.study.comparing import cluster as page
from torchatlas.study.comparing.cluster import Unwanted, connected
from torchatlas.study.comparing.compare import compare
from torchatlas.study.comparing.jobs import LOCKS, Entry, Job, run_job

if os.name == "nt":
    pytest.skip("signals and locks are others here", allow_module_level=True)

METHODS = ["mlp", "softmax_regression"]
TINY = {"seeds": 3, "steps": 400, "save_every_steps": 50, "threads": 1, "show": "none"}
RUNS = 12  # with two baselines
KILLING = """
import os, signal, torch

class Killing(torch.nn.Linear):
    def __init__(self, in_features: int, num_classes: int):
        if os.environ.get("AT_WORK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        super().__init__(in_features, num_classes)
"""


def until(true, what: str, seconds: float = 30):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return found


@contextmanager
def process(*words: str, log: Path, **environment: str) -> Iterator[subprocess.Popen]:
    with open(log, "wb") as file:
        started = subprocess.Popen(
            [sys.executable, "-m", *words], stdout=file, stderr=file, env=os.environ | environment
        )
        try:
            yield started
        finally:
            started.kill()
            started.wait()


class Cluster:
    """A scheduler; `worker()` starts one more worker. All end with the context."""

    def __init__(self, folder: Path, stack: ExitStack, **environment: str):
        self.folder, self.stack, self.environment, self.workers = folder, stack, environment, []
        there = folder / "scheduler.json"
        words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(there))
        run = process("distributed.cli.dask_scheduler", *words, log=folder / "scheduler.log", **environment)
        self.scheduler = stack.enter_context(run)
        until(lambda: there.exists() and there.read_text().strip().endswith("}"), "the scheduler")
        self.address = json.loads(there.read_text())["address"]

    def worker(self) -> None:
        name = f"worker{len(self.workers)}"
        words = [self.address, "--no-nanny", "--no-dashboard", "--nthreads", "2", "--name", name]
        words += ["--local-directory", str(self.folder / name)]
        log = self.folder / f"{name}.log"
        run = process("distributed.cli.dask_worker", *words, log=log, **self.environment)
        self.workers.append(self.stack.enter_context(run))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("cluster")
        (folder / "killing.py").write_text(KILLING)
        path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        found = Cluster(folder, stack, AT_WORK="1", PYTHONPATH=path)
        for _ in range(3):  # two tests kill one each
            found.worker()
        yield found


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The study that the tests ask for, run by this process."""
    out = tmp_path_factory.mktemp("alone") / "s"
    compare(METHODS, "digits", out=out, jobs=1, **TINY)
    return out


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(v) for key, v in value.items() if key != "clock"}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def contents(study: Path) -> dict[str, object]:
    """All that the runs of a study hold, the clock aside."""
    found: dict[str, object] = {}
    for path in sorted((study / "runs").rglob("*")):
        name = path.relative_to(study).as_posix()
        if path.is_dir() or LOCKS in name:
            continue
        if path.suffix == ".json":
            found[name] = timeless(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            found[name] = [timeless(json.loads(line)) for line in path.read_text().splitlines()]
        else:
            found[name] = path.read_bytes()
    return found


@pytest.mark.slow
def test_runs_on_a_cluster_are_those_of_one_machine(tmp_path, cluster, alone):
    found = compare(METHODS, "digits", out=tmp_path / "s", cluster=cluster.address, **TINY)
    here, there = contents(alone), contents(tmp_path / "s")
    assert len([name for name in here if name.endswith("result.json")]) == RUNS
    assert here.keys() == there.keys() and [name for name in here if here[name] != there[name]] == []
    assert not any(m.failed for m in found.verdict.methods)


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_no_run(tmp_path, cluster, alone):
    out, killed, before = tmp_path / "s", [], {}

    def kill() -> None:
        until(lambda: len(list(out.glob("runs/*/result.json"))) >= 3, "some runs")
        until(lambda: at_work(), "a run of that worker")
        before.update({path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")})
        killed.append(at_work())
        cluster.workers[number].kill()

    def at_work() -> list[str]:
        with connected(cluster.address) as client:
            names = {w: i["id"] for w, i in client.scheduler_info(n_workers=-1)["workers"].items()}
            return [
                k for w, keys in client.processing().items() if names[w] == f"worker{number}" for k in keys
            ]

    number = next(n for n, worker in enumerate(cluster.workers) if worker.poll() is None)
    thread = threading.Thread(target=kill)
    thread.start()
    found = compare(METHODS, "digits", out=out, cluster=cluster.address, **TINY)
    thread.join()
    assert killed and len(before) >= 3 and not any(m.failed for m in found.verdict.methods)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    here, there = contents(alone), contents(out)
    assert here.keys() == there.keys() and [name for name in here if here[name] != there[name]] == []


@pytest.mark.slow
def test_a_run_that_kills_its_workers_is_one_failed_run(tmp_path, cluster, monkeypatch):
    monkeypatch.syspath_prepend(cluster.folder)
    methods, words = ["killing:Killing", "softmax_regression"], TINY | {"seeds": [0], "out": tmp_path / "s"}
    del words["threads"]
    with connected(cluster.address) as client:
        client.run_on_scheduler(forgive, 0)  # the first death is one too many
        found = compare(methods, "digits", cluster=cluster.address, **words)
        client.run_on_scheduler(forgive, 3)
    assert [(m.name, m.failed) for m in found.verdict.methods if m.failed] == [("Killing", 1)]
    assert "Killing failed in every run: its workers died" in found.sentence
    assert len(list((tmp_path / "s").glob("runs/*/result.json"))) == 3
    assert "threads: 2\n" in (tmp_path / "s" / "runs" / "softmax_regression-seed0" / "run.yaml").read_text()


def forgive(deaths: int, dask_scheduler) -> None:
    dask_scheduler.allowed_failures = deaths


@pytest.mark.slow
def test_an_interruption_ends_the_runs_and_the_command_goes_on(tmp_path, cluster):
    assert threading.current_thread() is threading.main_thread()
    run = tmp_path / "s" / "runs" / "softmax_regression-seed0"
    words = TINY | {"seeds": 1, "steps": 1_000_000, "out": tmp_path / "s", "cluster": cluster.address}
    first = ""
    for number in (signal.SIGINT, signal.SIGTERM):
        interrupter = threading.Thread(target=interrupt, args=(run, newest_of(run), number))
        interrupter.start()
        with pytest.raises(Interrupted, match=r"same command goes on"):
            compare("softmax_regression", "digits", **words)
        interrupter.join()
        with connected(cluster.address) as client:
            until(lambda: not any(client.run(busy).values()), "the workers to be free")
        line = (run / "record.jsonl").read_text().splitlines()[0]
        assert first in ("", line)  # its clock says that the run was not begun anew
        first = line


def interrupt(run: Path, newest: str, number: int) -> None:
    try:
        until(lambda: newest_of(run) > newest, "a checkpoint", 120)
    finally:  # without the signal the comparison would go on to its last step
        os.kill(os.getpid(), number)


def newest_of(run: Path) -> str:
    return max((path.name for path in run.glob("checkpoints/0*")), default="")


def busy(dask_worker) -> bool:
    return bool(dask_worker.state.executing)


@pytest.mark.slow
def test_what_a_worker_lacks_is_told_before_a_run_begins(tmp_path, cluster, monkeypatch):
    from distributed import versions

    words = {"out": tmp_path / "s", "cluster": cluster.address, **TINY}
    with connected(cluster.address) as client:
        workers = page._Workers(client, tmp_path / "nowhere" / "token")
        with pytest.raises(AtlasError, match=r"cannot see .*nowhere: name an --out on a disk"):
            workers.count()
    known = versions._version_cached
    monkeypatch.setattr(
        versions, "_version_cached", lambda name: "99" if name == "torchatlas" else known(name)
    )
    with pytest.raises(AtlasError, match=r"tcp://.* has torchatlas .*, and here it is 99: install"):
        compare(METHODS, "digits", **words)
    assert not (tmp_path / "s" / "runs").exists()


@pytest.mark.slow
def test_a_cluster_without_workers_and_a_scheduler_that_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "WORKERS", 0.5)
    monkeypatch.setattr(page, "CONNECT", 2.0)
    with ExitStack() as stack:
        empty = Cluster(tmp_path, stack)
        with pytest.raises(AtlasError, match=r"had no worker for 0 s; start some with: dask worker tcp://"):
            compare("mlp", "digits", out=tmp_path / "s", cluster=empty.address, **TINY)
        monkeypatch.setattr(page, "WORKERS", 60)
        timer = threading.Timer(2, empty.scheduler.kill)
        timer.start()
        with pytest.raises(AtlasError, match=r"the scheduler at tcp.* was lost"):
            compare("mlp", "digits", out=tmp_path / "s", cluster=empty.address, **TINY)


@pytest.mark.parametrize("address", ["nonsense", "tcp://localhost:port", "http://localhost:1", "", 8786])
def test_what_is_no_address(tmp_path, address):
    with pytest.raises(UsageError, match=r"is no address .* as tcp://host:8786"):
        compare("mlp", "digits", out=tmp_path / "s", cluster=address)
    assert not (tmp_path / "s").exists()


def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "CONNECT", 0.2)
    with pytest.raises(AtlasError, match=r"no Dask scheduler answered at tcp://127.0.0.1:1 within 0 s"):
        compare("mlp", "digits", out=tmp_path / "s", cluster="tcp://127.0.0.1:1")
    assert not (tmp_path / "s").exists()


def test_dask_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(AtlasError, match=r'pip install "torchatlas\[cluster\]"'):
        compare("mlp", "digits", out=tmp_path / "s", cluster="tcp://127.0.0.1:1")


def job(folder: Path, **more) -> Job:
    settings = {"steps": 60, "threads": 1, "log_every": 5, "save_every_steps": 20}
    return Job(
        Entry("softmax_regression", "softmax_regression", settings), 0, "iris", {}, folder, "s", **more
    )


def test_two_never_write_one_run_and_the_second_finds_what_the_first_did(tmp_path):
    import fcntl

    run = tmp_path / "runs" / "r"
    (run.parent / LOCKS).mkdir(parents=True)
    asked, ended = threading.Event(), []
    with open(run.parent / LOCKS / run.name, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # a worker that was thought dead
        waiting = threading.Thread(target=lambda: ended.append(run_job(job(run), asked.set)))
        waiting.start()
        assert asked.wait(10) and not run.exists()
    waiting.join(30)
    assert not ended[0].error
    before = (run / "result.json").stat().st_mtime_ns
    assert not run_job(job(run)).error and (run / "result.json").stat().st_mtime_ns == before


def test_a_run_that_nobody_waits_for_ends_and_goes_on_later(tmp_path):
    run, calls = tmp_path / "runs" / "r", []

    def wanted() -> None:
        calls.append(0)
        if list(run.glob("checkpoints/0*")):
            raise Unwanted

    with pytest.raises(Unwanted):
        run_job(job(run), wanted)
    first = (run / "record.jsonl").read_text().splitlines()[0]
    assert not (run / "result.json").exists()
    assert not run_job(job(run)).error
    assert (run / "record.jsonl").read_text().splitlines()[0] == first


def test_other_data_where_the_run_is_made_is_told(tmp_path):
    ended = run_job(job(tmp_path / "runs" / "r", fingerprint="0123"))
    assert ended.error.startswith("iris is other data on ") and not (tmp_path / "runs" / "r").exists()

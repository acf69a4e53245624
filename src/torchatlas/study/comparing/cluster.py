"""The runs of a comparison on the workers of a Dask cluster; the study's folder is on a disk that all see.

Dask schedules: it picks the worker, and gives the run of a worker that died to another. What is here keeps
as many runs with it as it has workers, and turns what can go wrong into words. joblib's Dask backend is not
used: it waits for ever for a job that killed its workers, and where a cluster has a single thread it runs the
jobs in this process instead.
"""

import asyncio
import logging
import os
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...engine.errors import AtlasError, UsageError
from .jobs import Done, Job, finished, run_quietly

CONNECT = 10.0  # seconds in which the scheduler must answer
WORKERS = 60.0  # seconds in which a worker must come, at the start and when all were lost
ARRIVE = 60.0  # seconds in which a file that a worker wrote must be seen here: network disks show it late
LOOK = 2.0  # seconds between looks at who is there
LARGE = {"distributed.admin.large-graph-warning-threshold": "1 TiB"}  # of a job: data may travel with it
GO_ON = "finished runs are kept, and the same command goes on with the others"

_turn = threading.Lock()  # a run sets the random state of its whole process: one at a time in each worker


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """A `distributed.Client` of the scheduler at an address; None for none.

    Raises UsageError for what is no address, and AtlasError where no scheduler answers.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client, Security
        from distributed.comm.core import connect
        from distributed.utils import silence_logging_cmgr
    except ImportError as error:
        raise AtlasError(
            f'a cluster needs Dask ({error}): pip install "torchatlas[cluster]", here and on all workers'
        ) from error

    async def call() -> None:  # a Client that fails to connect is noisy when it goes
        comm = await connect(address, timeout=CONNECT, **Security().get_connection_args("client"))
        await comm.close()

    try:
        with ThreadPoolExecutor(1) as aside:  # a notebook has a loop of its own in this thread
            aside.submit(lambda: asyncio.run(call())).result()
        client = Client(address, timeout=CONNECT, set_as_default=False, name="torchatlas")
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"cluster={address!r} is no address ({error}); say what dask scheduler prints, as tcp://host:8786"
        ) from error
    except OSError as error:
        raise AtlasError(
            f"no Dask scheduler answered at {address} within {CONNECT:.0f} s; start one with: dask scheduler "
            "(and workers with: dask worker ADDRESS), and give the address that it prints"
        ) from error
    with silence_logging_cmgr(logging.CRITICAL):  # a lost connection is told in our words
        try:
            yield client
        finally:
            client.close()  # lets go of all runs that are still there: they end, and leave their checkpoints


def run_on_cluster(client: Any, jobs: Sequence[Job], at_once: int | None, shared: Path) -> Iterator[Done]:
    """Each job as it ends, on the workers that see the folder `shared`; at_once: no more at a time.

    Raises AtlasError where a worker cannot do what is asked, and where the scheduler or all workers are lost.
    """
    import dask

    with tempfile.NamedTemporaryFile(dir=shared, prefix=".seen-") as token, dask.config.set(LARGE):
        workers, address = _Workers(client, Path(token.name).resolve()), client.scheduler.address
        try:
            for job, future in _ended(client, deque(jobs), workers, at_once or len(jobs)):
                yield _done(job, future)
        except (CancelledError, asyncio.CancelledError, OSError) as error:
            raise AtlasError(
                f"the scheduler at {address} was lost, or let go of the runs; {GO_ON}"
            ) from error


def _ended(client: Any, waiting: deque[Job], workers: "_Workers", at_once: int) -> Iterator[tuple[Job, Any]]:
    """The jobs with their futures, as they end."""
    from distributed import wait

    running = dict[Any, Job]()
    while waiting or running:
        places = min(workers.count(), at_once)
        while waiting and len(running) < places:
            job = waiting.popleft()
            running[_submit(client, job)] = job
        if not running:
            continue
        try:
            with client.as_current():
                ended = wait(list(running), timeout=LOOK, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        for future in ended:
            yield running.pop(future), future


def _submit(client: Any, job: Job) -> Any:
    key = f"{job.folder.name}-{uuid.uuid4().hex}"
    there = replace(job, folder=job.folder.resolve())
    return client.submit(run_on_worker, there, key, key=key)


def run_on_worker(job: Job, key: str) -> Done:
    """A job in a worker, with all of its threads; it ends once nobody waits for it any more."""
    from distributed import Reschedule, Status, get_worker

    worker = get_worker()

    def wanted() -> None:
        task = worker.state.tasks.get(key)
        leaves = worker.status in (Status.closing, Status.closed, Status.failed)
        if leaves or task is None or task.state == "cancelled":
            raise Unwanted

    try:
        while not _turn.acquire(timeout=0.2):
            wanted()
        try:
            return run_quietly(replace(job, threads=worker.state.nthreads), wanted)
        finally:
            _turn.release()
    except Unwanted:
        raise Reschedule from None  # on another worker, if it is this one that leaves


class Unwanted(BaseException):
    """Nobody waits for this run here any more; no failure, so nothing that handles failures sees it."""


class _Workers:
    """The workers of a cluster: each is looked at once, when it is first there."""

    def __init__(self, client: Any, token: Path):
        self.client, self.token = client, token
        self.known: set[str] = set()
        self.seen = time.monotonic()  # when a worker was last there

    def count(self) -> int:
        """How many there are. Raises AtlasError for one that is not fit, and where none is there for long."""
        there = set(self.client.nthreads())
        if new := there - self.known:
            self._look_at(sorted(new))
            self.known |= new
        now = time.monotonic()
        if there:
            self.seen = now
        elif now - self.seen > WORKERS:
            address = self.client.scheduler.address
            raise AtlasError(
                f"the cluster at {address} had no worker for {WORKERS:.0f} s; start some with: "
                f"dask worker {address}; {GO_ON}"
            )
        else:
            time.sleep(0.2)
        return len(there)

    def _look_at(self, new: list[str]) -> None:
        versions = self.client.get_versions(packages=["torchatlas"])
        here = versions["client"]["packages"]["torchatlas"]
        for address in set(new) & versions["workers"].keys():
            if (found := versions["workers"][address]["packages"]["torchatlas"]) != here:
                has = f"torchatlas {found}" if found else "no torchatlas"
                raise AtlasError(
                    f"the worker {address} has {has}, and here it is {here}: "
                    "install the same version on all workers, and start them again"
                )
        for path, mode, cannot in ((self.token, os.F_OK, "see"), (self.token.parent, os.W_OK, "write to")):
            able = self.client.run(os.access, str(path), mode, workers=new, on_error="return")
            for address in (address for address, yes in able.items() if yes is False):
                raise AtlasError(
                    f"the worker {address} cannot {cannot} {self.token.parent}: name an --out on a disk that "
                    "this machine and all workers share, under the same path"
                )


def _done(job: Job, future: Any) -> Done:
    """How a job ended, as it is seen from here."""
    from distributed import KilledWorker

    failed = Done(job.entry.label, job.seed, job.folder, baseline=job.entry.baseline)
    if future.status == "finished":
        ended: Done = replace(future.result(), folder=job.folder)
        if ended.error or _arrived(job):
            return ended
        return replace(failed, error=f"its result was not seen in {job.folder} within {ARRIVE:.0f} s")
    error = future.exception()
    if isinstance(error, KilledWorker):
        why = (
            f"its workers died, more than {error.allowed_failures} times, perhaps for want of memory: "
            "give the workers more, or make the run smaller"
        )
        return replace(failed, error=why)
    return replace(failed, error=f"{type(error).__name__}: {error}")


def _arrived(job: Job) -> bool:
    began = time.monotonic()
    while not finished(job.folder, job.entry.baseline):
        if time.monotonic() - began > ARRIVE:
            return False
        time.sleep(0.5)
    return True

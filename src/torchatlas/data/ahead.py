"""Work that runs ahead in processes of its own: decoded batches are ready when they are asked for."""

import gc
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any, Self

import torch
from torch.utils.data import DataLoader, Dataset

from ..engine.errors import AtlasError

DEPTH = 4  # results that a process may be ahead: a step that is now and then slow to decode is not felt
MOST_BYTES = 1 << 30  # of all results that wait
MOST_PROCESSES = 16


class Ahead(Iterator[Any]):
    """`do(task)` for each task in order, done ahead of time by worker processes.

    Processes and not threads: to decode a small JPEG is mostly Python, which one thread does at a time. A
    thread takes their results over, as that means waiting for a busy process to hand over its memory; and
    were the loader in the main thread, it would install a signal handler that raises at any moment.

    nbytes: the memory of one result. An AtlasError that `do` raises is raised here, in its turn. Raises
    AtlasError where a worker process dies. `close` ends the workers, also of tasks without an end.
    """

    def __init__(self, do: Callable[[Any], Any], tasks: Iterable[Any], nbytes: int, pin: bool = False):
        count = workers(nbytes)
        loader: DataLoader[Any] = DataLoader(
            _Results(do),
            sampler=tasks,
            batch_size=None,  # a task is a whole batch
            num_workers=count,
            collate_fn=_as_it_is,
            pin_memory=pin,
            worker_init_fn=_begin_apart,
            multiprocessing_context="fork" if count and sys.platform == "linux" else None,
            prefetch_factor=DEPTH if count else None,
            generator=torch.Generator(),  # it draws a seed, and the default generator is not its own
        )
        self._ready: Queue[Any] = Queue(1)
        self._stop = threading.Event()
        words = (loader, self._ready, self._stop)  # not `self`: it would never be let go
        self._thread = threading.Thread(target=_take_over, args=words, daemon=True)
        self._thread.start()

    def __next__(self) -> Any:
        found = _End() if self._stop.is_set() else self._ready.get()
        if isinstance(found, _End):
            self.close()
            raise found.error or StopIteration
        return found

    def close(self) -> None:
        """End the workers, and wait until they are gone; nothing comes any more."""
        self._let_go()
        self._thread.join()

    def _let_go(self) -> None:
        self._stop.set()
        with suppress(Empty):  # the thread may wait for room
            self._ready.get_nowait()

    def __del__(self) -> None:
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class _End:
    """Nothing comes any more: all is done, or this went wrong."""

    error: Exception | None = None


def _take_over(loader: "DataLoader[Any]", ready: "Queue[Any]", stop: threading.Event) -> None:
    """Put the results of the workers into a queue, then the end; the workers end with the function."""
    end = _End()
    try:
        with warnings.catch_warnings():  # Python 3.12 warns of every fork beside threads; PyTorch lives by it
            warnings.simplefilter("ignore", DeprecationWarning)
            results = iter(loader)
        for found in results:
            if isinstance(found, AtlasError):
                raise found
            ready.put(found)
            if stop.is_set():
                break
    except Exception as error:
        end.error = _told(error).with_traceback(None)  # its frames would hold the workers
    if not stop.is_set():
        ready.put(end)


def _told(error: Exception) -> Exception:
    """The death of a worker in words; another error as it is."""
    died = isinstance(error, RuntimeError | OSError | EOFError | multiprocessing.ProcessError)
    if not died or str(error).startswith("Caught "):  # raised by what was to be done
        return error
    return AtlasError(
        "a process that decodes images ended unexpectedly, perhaps for want of memory (or of room in "
        f"/dev/shm): make some room or take a smaller batch_size, then go on with --resume ({error})"
    )


def workers(nbytes: int) -> int:
    """How many processes: one core is left to the training, and the results that wait must fit.

    None where this process may have no children, as a worker itself.
    """
    if multiprocessing.current_process().daemon:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MOST_PROCESSES, MOST_BYTES // (DEPTH * max(1, nbytes))))


class _Results(Dataset[Any]):
    def __init__(self, do: Callable[[Any], Any]):
        self.do = do

    def __getitem__(self, task: Any) -> Any:
        try:
            return self.do(task)
        except AtlasError as error:  # raised, it would arrive with the traceback in its message
            return error


def _as_it_is(result: Any) -> Any:
    return result


def _begin_apart(worker: int) -> None:
    """In a process group of its own: Ctrl-C ends the run at a checkpoint, and until then it needs us."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # a collection would touch, and so copy, all the memory that is shared with the parent

"""Functions run by several processes at once, as torchrun would start them, but forked from a warm one."""

import multiprocessing
import os
import pickle
import socket
import traceback

import torch

WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["torch._dynamo", "torch.distributed.fsdp", "torchatlas.study.training.train"])
PATIENCE = 60  # seconds after which a process counts as hung


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _child(rank, size, port, answers, function, words):
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    os.environ.update({"MASTER_ADDR": "127.0.0.1", "TORCHATLAS_TIMEOUT": "20"})
    torch.set_num_threads(1)
    try:
        answers.put((rank, pickle.dumps(function(*words))))  # else tensors are lent, by a process that ends
    except BaseException:
        answers.put((rank, pickle.dumps(RuntimeError(traceback.format_exc()))))


def together(size, function, *words, die=()):
    """What each of `size` processes answers, by rank; None from those in `die`, which are expected to."""
    answers, port = WARM.Queue(), free_port()
    ranks = [
        WARM.Process(target=_child, args=(rank, size, port, answers, function, words), daemon=True)
        for rank in range(size)
    ]
    for process in ranks:
        process.start()
    given = [answers.get(timeout=PATIENCE) for _ in range(size - len(die))]
    for process in ranks:
        process.join(PATIENCE)
        assert not process.is_alive(), "a process hangs"
    found = {**dict.fromkeys(die), **{rank: pickle.loads(answer) for rank, answer in given}}
    for answer in found.values():
        if isinstance(answer, RuntimeError):
            raise answer
    return [found[rank] for rank in range(size)]

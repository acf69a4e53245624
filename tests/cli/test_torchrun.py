"""Runs on several processes as their users start them, and on two hosts whose link is cut."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from processes import free_port
from torchatlas.engine.checkpoint import Store
from torchatlas.engine.record import read_record

if sys.platform != "linux":
    pytest.skip("torchrun's hosts are Linux network namespaces here", allow_module_level=True)

OWN = """
import os, signal, time
from torch import nn

class Net(nn.Module):
    '''Sleeps in each step; the process that finds the file "kill" and is not the first one dies, once.'''

    def __init__(self, num_classes, in_features, sleep=0.0):
        super().__init__()
        self.sleep, self.calls = sleep, 0
        self.body = nn.Sequential(nn.Linear(in_features, 16), nn.ReLU(), nn.Linear(16, num_classes))

    def forward(self, x):
        if self.training:
            time.sleep(self.sleep)
            self.calls += 1
            if self.calls > 30 and os.environ.get("RANK") == "1" and os.path.exists("kill"):
                os.remove("kill")
                os.kill(os.getpid(), signal.SIGKILL)
        return self.body(x)
"""
SETTINGS = ("optimizer=sgd", "lr=0.1", "save_every_steps=10", "log_every=10", "threads=1")
PATIENCE = 120  # seconds


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "own_net.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setenv("TORCHATLAS_TIMEOUT", "6")
    return tmp_path


def train(steps, out, *more, sleep=0.0):
    words = [word for pair in (*SETTINGS, f"sleep={sleep}") for word in ("--set", pair)]
    command = ["-m", "torchatlas", "train", "own_net:Net", "--data", "iris", "--steps", str(steps)]
    return [*command, "--shards", "2", "--out", str(out), *words, *more]


def torchrun(*words):
    return [sys.executable, "-m", "torch.distributed.run", *words]


def finished(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


def weights(run):
    return Store(Path(run) / "checkpoints").newest(print)[1]["learner"]


def assert_equal_runs(ours, theirs):
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-5, atol=1e-5)
    steps = [[line["step"] for line in read_record(Path(r) / "record.jsonl")] for r in (ours, theirs)]
    assert steps[0] == steps[1]


@pytest.mark.slow
def test_two_processes_learn_what_one_does_and_one_of_them_tells(here):
    finished([sys.executable, *train(40, "one")])
    two = torchrun("--nproc-per-node", "2", "--master-port", str(free_port()))
    out, told = finished([*two, *train(40, "two")])
    assert_equal_runs("one", "two")
    assert out.count("test: accuracy") == 1 and told.count("2 processes train together, on 2 shards") == 1


@pytest.mark.slow
def test_torchrun_picks_up_a_run_whose_worker_died(here):
    finished([sys.executable, *train(60, "whole")])
    (here / "kill").touch()
    two = torchrun("--nproc-per-node", "2", "--max-restarts", "1", "--master-port", str(free_port()))
    _, told = finished([*two, *train(60, "mended")])
    assert not (here / "kill").exists() and told.count("2 processes train together") == 2
    assert_equal_runs("whole", "mended")


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)


@pytest.fixture
def hosts():
    """Two network namespaces, a and b, with addresses of their own on a virtual link."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    names = {host: f"atlas{os.getpid()}{host}" for host in "ab"}
    try:
        for name in names.values():
            ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces are not permitted here: {error.stderr.decode().strip()}")
    try:
        ip(
            "link",
            "add",
            "la",
            "netns",
            names["a"],
            "type",
            "veth",
            "peer",
            "name",
            "lb",
            "netns",
            names["b"],
        )
        for number, (host, name) in enumerate(names.items(), 1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", f"l{host}")
            for device in ("lo", f"l{host}"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name in names.values():
            ip("netns", "del", name)


def start(hosts, host, port, log):
    """torchrun on a host; host a holds the rendezvous."""
    words = torchrun("--nnodes", "1:2", "--nproc-per-node", "1", "--max-restarts", "5")
    words += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"10.77.0.1:{port}", "--rdzv-id", "atlas"]
    words += ["--rdzv-conf", f"last_call_timeout=2,is_host={'true' if host == 'a' else 'false'}"]
    words += ["--local-addr", f"10.77.0.{'ab'.index(host) + 1}"]
    command = ["ip", "netns", "exec", hosts[host], "env", f"GLOO_SOCKET_IFNAME=l{host}"]
    with open(log, "w") as out:
        command += [*words, *train(1500, "run", sleep=0.02)]
        return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)


def until(happened, what):
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < PATIENCE, f"{what} never happened"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_host_is_cut_off_in_mid_training_and_comes_back(here, hosts):
    port, store = free_port(), Store(Path("run") / "checkpoints")

    def told(words):
        return (here / "a.log").read_text().count(words)

    together, alone = "2 processes train together", "done after"
    running = [start(hosts, "a", port, "a.log")]
    try:
        time.sleep(1)
        running.append(start(hosts, "b", port, "b.log"))
        until(lambda: told(together) == 1 and max(store.steps(), default=0) >= 50, "training on two hosts")
        ip("-n", hosts["b"], "link", "set", "lb", "down")
        cut = store.steps()[-1]
        until(lambda: store.steps()[-1] >= cut + 100, "going on with one host")
        assert told(together) == 1 and not told(alone)
        ip("-n", hosts["b"], "link", "set", "lb", "up")
        until(lambda: told(together) == 2 or running[1].poll() is not None, "coming back")
        if running[1].poll() is not None:  # its agent had given up: its operator starts it again
            running[1] = start(hosts, "b", port, "b2.log")
            until(lambda: told(together) == 2, "coming back by a new start")
        assert running[0].wait(PATIENCE) == 0, (here / "a.log").read_text()
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    finished([sys.executable, *train(1500, "whole")])
    assert_equal_runs("whole", "run")

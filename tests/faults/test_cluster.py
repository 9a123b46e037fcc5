"""A cluster whose scheduler and workers are in network namespaces of their own: one is killed, one is cut off.

A worker that is cut off goes on with its task and hears nothing; the scheduler gives the task to another.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tenfold.data import idx
from tenfold.tune.cache import FILE
from waiting import until

pytestmark = pytest.mark.slow
HOSTS = {"head": "10.77.0.1", "left": "10.77.0.2", "right": "10.77.0.3"}
SCHEDULER = "tcp://10.77.0.1:8786"
NEEDED = "ip of iproute2, unshare and nsenter of util-linux, and Linux that lets one make namespaces"
SHARDS, EACH = 24, 5_000
SIZES = ["train_size=500", "validation_size=500", "network.width=4", "epochs=8", "precision=float32"]
SPACE = "[learning_rate]\nchoices = [0.01, 0.03, 0.1]\n[batch_size]\nchoices = [64, 128]\n"
BUILD = """
mount -t tmpfs tmpfs /run
ip link add dev switch type bridge
ip link set dev switch up
for host in $HOSTS; do
  name=${host%=*}
  ip netns add $name
  ip link add dev $name type veth peer name eth0 netns $name
  ip link set dev $name master switch up
  ip -netns $name address add ${host#*=}/24 dev eth0
  ip -netns $name link set dev eth0 up
  ip -netns $name link set dev lo up
done
echo built
exec cat
"""


class Hosts:
    """Machines with a network of their own, and a Dask cluster on them: the scheduler on the head."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        namespaces = ["--map-root-user", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
        self.holder = subprocess.Popen(
            ["unshare", *namespaces, "sh", "-euc", BUILD],
            env=os.environ | {"HOSTS": " ".join(f"{name}={address}" for name, address in HOSTS.items())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self.holder.stdout.readline() != "built\n":
            raise OSError(self.holder.communicate()[1].strip())
        (child,) = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        self.enter = ["nsenter", "--target", child, "--user", "--mount", "--net", "--pid", "--preserve-credentials"]
        self.on("head", "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--port", "8786")
        for host in ("left", "left", "right"):
            self.worker(host)

    def worker(self, host):
        """Start a worker that nobody starts again when it dies."""
        alone = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--local-directory", self.folder)
        self.on(host, "-m", "distributed.cli.dask_worker", SCHEDULER, *alone)

    def on(self, host, *words):
        """Start Python on a host."""
        command = [*self.enter, f"--wd={self.folder}", "ip", "netns", "exec", host, sys.executable, *map(str, words)]
        # What is silent for 12 s is given up: 30 s by default.
        settings = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.processes.append(subprocess.Popen(command, env=os.environ | settings, **pipes))
        return self.processes[-1]

    def kill(self, host):
        """Kill a process of a host."""
        pids = subprocess.check_output([*self.enter, "ip", "netns", "pids", host], text=True).split()
        subprocess.run([*self.enter, "kill", "-KILL", pids[-1]], check=True)

    def cut_off(self, host):
        """Take a host's cable out of the switch: nobody is told."""
        subprocess.run([*self.enter, "ip", "link", "set", "dev", host, "down"], check=True)

    def close(self):
        """End all that was begun, and with it the namespaces."""
        self.holder.kill()
        for process in [*self.processes, self.holder]:
            process.communicate()


@pytest.fixture
def hosts(tmp_path, mnist):
    try:
        made = Hosts(tmp_path)
    except OSError as error:  # a program is missing, or the first of them said why not
        reason = f"no hosts can be made here: {error}; it takes {NEEDED}"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    yield made
    made.close()


def _ended(process):
    written, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return json.loads(written)


def test_a_search_and_a_scoring_job_end_complete(hosts, trained_once, mnist, tmp_path):
    """Of three workers one is killed and one cut off, both in the midst of their tasks; the third does all of it."""
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "00.idx").write_bytes(idx.encode(mnist.images[:EACH]))
    for at in range(1, SHARDS):
        os.link(tmp_path / "source" / "00.idx", tmp_path / "source" / f"{at:02}.idx")
    scheduler = ("--scheduler", SCHEDULER, "--json")
    settings = [word for size in SIZES for word in ("--set", size)]
    words = ("--search", "grid", "--space", "space.toml", "--study", "study", *settings)
    begun = time.monotonic()
    search = hosts.on("head", "-m", "tenfold", "tune", *words, *scheduler)
    scoring = hosts.on("head", "-m", "tenfold", "score", trained_once.folder, "source", "--out", "scores", *scheduler)

    parts = tmp_path / "scores" / "parts"
    until(lambda: parts.is_dir() and len(list(parts.glob("part-*.parquet"))) >= 2, scoring)
    journal = tmp_path / "runs" / "study" / "journal.jsonl"
    until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 6, search)
    hosts.kill("left")
    hosts.cut_off("right")
    print(f"one killed and one cut off after {time.monotonic() - begun:.0f} s")

    found = _ended(search)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 6
    assert len({tuple(trial["point"].values()) for trial in found["trials"]}) == 6
    assert [len(model["runs"]) for model in found["final"]["models"]] == [5, 5]
    identities = [json.loads(line)["identity"] for line in (tmp_path / "runs" / FILE).read_text().splitlines()]
    assert len(identities) == len(set(identities)) == 6
    assert _ended(scoring)["summary"]["pictures"] == SHARDS * EACH
    ids = pq.read_table(parts)["id"].to_pylist()
    assert len(ids) == len(set(ids)) == SHARDS * EACH
    print(f"all done after {time.monotonic() - begun:.0f} s")

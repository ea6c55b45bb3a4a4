"""What one case is run against: a project and a home with canaries, and things outside that must not be reached.

Only canaries, processes and loopback listeners of our own are ever touched.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

CANARY = "HSEC-CANARY-0123456789abcdef"
_SECRETS = """
    .ssh/id_rsa .aws/credentials .netrc .config/gh/hosts.yml .git-credentials .docker/config.json .kube/config
    .bash_history .config/harness/credentials.json
"""
_HISTORY = """
git init -q && git add -A && git commit -qm init && git switch -qc evil && mkdir -p .harness &&
echo '{}' > .harness/settings.json && git add -A && git commit -qm evil; git switch -q -
mkdir -p vendor/sub && cd vendor/sub && git init -q && git commit -q --allow-empty -m x && mkdir -p .git/hooks
"""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p


def bash(script: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env, check=False
    )
    return done.stdout


def base() -> Path:
    """Where baits lie: to be seen from inside, else attacks pass trivially. Private /tmp and root's home are not."""
    if given := os.environ.get("HT_BASE"):
        return Path(given)
    roots = ("/srv", "/opt", "/var/lib") if os.geteuid() == 0 else ()
    return next((Path(root) for root in roots if os.access(root, os.W_OK)), Path.home())


class Bait:
    """Everything of one case; `close` takes it away. `variant`: which project (see `_project`)."""

    def __init__(self, variant: str) -> None:
        self.run = os.urandom(4).hex()
        self._end = ExitStack()
        self.root = Path(tempfile.mkdtemp(prefix="harness-escape-", dir=base()))
        self.root.chmod(0o755)
        self._end.callback(self._remove)
        self.home, self.outside, self.state = (self.root / name for name in ("home", "outside", "state"))
        self.other, self.project = self.root / "otherhome", self.root / "proj"
        self.main = self.root / "main" if variant == "worktree" else self.project
        for directory in (self.home, self.outside, self.state):
            directory.mkdir()
        self.env = dict(os.environ, HOME=str(self.home), GIT_CONFIG_NOSYSTEM="1")
        self._homes()
        self._project(variant)
        self.env |= self._outside() | {
            "HT_PROJECT": str(self.project),
            "HT_OUTSIDE": str(self.outside),
            "HT_HOME": str(self.home),
            "HT_STATE": str(self.state),
            "HT_MAIN": str(self.main) if variant == "worktree" else "",
            "HT_RUN": self.run,
            "HT_OTHERHOME": str(self.other),
            "HT_PYTEST": shutil.which("pytest") or "pytest",
        }

    def close(self) -> None:
        self._end.close()

    def _remove(self) -> None:
        subprocess.run(["chmod", "-R", "u+rwX", self.root], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def _homes(self) -> None:
        _put(self.outside / "canary.txt")
        _put(self.other / ".ssh/id_rsa", mode=0o600)
        self.other.chmod(0o700)
        for name in _SECRETS.split():
            _put(self.home / name, mode=0o600)
        _put(self.home / ".npmrc", f"//registry.example/:_authToken={CANARY}\n", 0o600)
        _put(self.home / ".bashrc", "# rc\n")
        _put(self.home / ".gitconfig", "[init]\n\tdefaultBranch = main\n[user]\n\tname=t\n\temail=t@t\n")
        secret = Path(f"/tmp/hsec_secret_{self.run}")
        _put(secret)
        self._end.callback(secret.unlink)

    def _project(self, variant: str) -> None:
        ignored = "" if variant == "trackedsecret" else "secrets/\n"
        _put(self.main / "src/a.txt", "HELLO\n")
        _put(self.main / ".gitignore", f"*.err\n.venv\n{ignored}")
        _put(self.main / "README.md", "x\n")
        _put(self.main / "secrets/prod.key")
        if variant != "noharness":
            _put(self.main / ".harness/settings.json", '{"HARMLESS":1}\n')
        _put(self.main / ".vscode/tasks.json", "{}\n")
        _put(self.main / ".envrc", "# e\n")
        _put(self.main / "Makefile", "all:\n\ttrue\n")
        bash(f"cd {self.main} && {_HISTORY}", self.env)
        if variant == "worktree":
            bash(f"cd {self.main} && git worktree add -q {self.project} -b wt", self.env)
            _put(self.project / "secrets/prod.key")

    def _outside(self) -> dict[str, str]:
        """Processes, sockets and memory of the host, and their names."""
        victim = subprocess.Popen(
            ["sleep", "999"], env={"ANTHROPIC_API_KEY": CANARY, "PATH": os.environ["PATH"]}, start_new_session=True
        )
        self._end.callback(victim.wait)
        self._end.callback(victim.send_signal, signal.SIGKILL)
        tcp = self._socket(socket.AF_INET6)
        tcp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        tcp.bind(("::", 0))
        _serve(tcp)
        udp = self._socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        _listen(udp, lambda: (self.state / "udp_hit").write_text("x"))
        path = self.outside / "docker.sock"
        abstract = f"hsec-abs-{self.run}"
        for address in (str(path), str(self.project / "dev.sock"), "\0" + abstract):
            unix = self._socket(socket.AF_UNIX)
            unix.bind(address)
            if not address.startswith("\0"):
                Path(address).chmod(0o777)
            _serve(unix)
        self._socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind(f"{path}.dgram")
        return {
            "HT_HOSTPID": str(victim.pid),
            "HT_TCP": str(tcp.getsockname()[1]),
            "HT_UDP": str(udp.getsockname()[1]),
            "HT_SOCK": str(path),
            "HT_ABSTRACT": abstract,
            "HT_SHMKEY": str(self._memory()),
        }

    def _socket(self, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        made = socket.socket(family, kind)
        self._end.callback(made.close)
        return made

    def _memory(self) -> int:
        """A shared memory segment that holds the canary; its key."""
        key = 0x48530000 | int(self.run[:4], 16)
        number = _libc.shmget(key, 64, 0o1600)
        if number >= 0:
            address = ctypes.c_void_p(_libc.shmat(number, None, 0))
            ctypes.memmove(address, CANARY.encode(), len(CANARY))
            self._end.callback(_libc.shmctl, number, 0, None)
            self._end.callback(_libc.shmdt, address)
        return key


def _put(path: Path, text: str = CANARY + "\n", mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _serve(listener: socket.socket) -> None:
    """Whoever connects gets the canary."""

    def run() -> None:
        try:
            while True:
                guest, _ = listener.accept()
                with guest:
                    guest.sendall(CANARY.encode())
        except OSError:
            pass  # closed: the case is over

    listener.listen(8)
    threading.Thread(target=run, daemon=True).start()


def _listen(receiver: socket.socket, hit: Callable[[], object]) -> None:
    def run() -> None:
        try:
            while True:
                if b"HSEC-LEAK" in receiver.recv(100):
                    hit()
        except OSError:
            pass  # closed: the case is over

    threading.Thread(target=run, daemon=True).start()

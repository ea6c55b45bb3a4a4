"""What checkpoints cost: `python -m tests.checkpoints.bench [FILES]`. Prints, asserts nothing."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.checkpoints.rewind import rewind
from harness.checkpoints.scan import Scanner
from harness.checkpoints.store import Store
from harness.checkpoints.watch import Watch


def furnish(root: Path, files: int) -> None:
    for number in range(files):
        directory = root / f"package{number // 100:04}" / f"module{number // 10 % 10}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"file{number % 10}.py").write_text(f"# {number}\n" + f"value_{number} = {number}\n" * 150)


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def best(label: str, work: Callable[[], object], times: int = 20) -> None:
    taken, spent = [], []
    for _ in range(times):
        began, before = time.perf_counter(), time.process_time()
        work()
        spent.append((time.process_time() - before) * 1000)
        taken.append((time.perf_counter() - began) * 1000)
    tell(f"{label:44} best {min(taken):9.2f} ms   worst {max(taken):9.2f} ms   (processor {min(spent):9.2f} ms)")


def main(files: int) -> None:
    with TemporaryDirectory() as base:
        root = Path(base, "project")
        furnish(root, files)
        file = Path(base, "state", "store.sqlite")
        store, watch = Store(file), Watch()
        scanner = Scanner(store, (root,), Path(base, "state"), watch)
        tell(f"{files} files")
        best("first look", scanner.look, 1)
        start = scanner.look()
        best("full look, nothing changed", scanner.look)
        one = root / "package0001" / "module1" / "file1.py"

        def change() -> int:
            return one.write_text(f"{time.time_ns()}\n")

        best("full look, one file changed", lambda: (change(), scanner.look()))
        scanner.look(watch.changed())
        best("check before a call, nothing changed", watch.changed)
        best("check before a call, one directory changed", lambda: (change(), scanner.look(watch.changed())))
        best("rewind of one file", lambda: (change(), rewind(store, scanner, start)))
        best("new session, nothing changed", lambda: Scanner(store, (root,), Path(base, "state")).look())
        best("sweep", lambda: store.sweep(30), 1)
        tell(f"store {store.size() / 1e6:.1f} MB, project {files * 2.9e-3:.1f} MB or so")
        watch.close()
        store.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)

"""`harness serve-script FILE`: a scripted endpoint as a program of its own.

The first line on stdout is the base URL. Exit codes: 0 ended by SIGTERM or SIGINT; 1 with `--strict`, where a
request was refused; 2 the script or a flag cannot be used.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from harness.errors import EXIT_ERROR, EXIT_OK, UsageError
from harness.scripted.script import Script, load
from harness.scripted.server import Received, serve


def main(argv: Sequence[str]) -> int:
    """Serve until told to end; `argv` is what follows the command's name. Returns the exit code.

    Raises:
        UsageError: the script, the address or the log cannot be used.
    """
    options = _parser().parse_args(argv)
    script = load(options.file)
    with _log(options.log) as log:
        return asyncio.run(_serve(script, options, log))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness serve-script",
        description="Serve a scripted model as an OpenAI-compatible endpoint; the first line on stdout is its URL.",
        epilog="Exit codes: 0 ended by SIGTERM or SIGINT; 1 a request was refused (--strict); 2 bad script or flag.",
    )
    parser.add_argument("file", type=Path, help="the script: TOML, or JSON where its name ends in .json")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--log", type=Path, metavar="FILE", help="append the requests and what answered them, as JSON Lines, at the end"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 at the end if any request was refused")
    return parser


async def _serve(script: Script, options: argparse.Namespace, log: TextIO | None) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with serve(script, options.host, options.port) as server:
            sys.stdout.write(f"{server.url}\n")
            sys.stdout.flush()
            await stop.wait()
    except (OSError, OverflowError) as error:
        what = f"cannot listen on {options.host} port {options.port}: {error}"
        raise UsageError(what, "Give another --host or --port; port 0 takes a free one.") from None
    if log is not None:
        log.writelines(_log_line(received) for received in server.all)
    for failure in server.failures:
        sys.stderr.write(f"refused: {failure}\n")
    return EXIT_ERROR if options.strict and server.failures else EXIT_OK


def _log(path: Path | None) -> AbstractContextManager[TextIO | None]:
    """The log, opened before anything is served: a path that cannot be written is said at once."""
    if path is None:
        return nullcontext()
    try:
        return path.open("a", encoding="utf-8")
    except OSError as error:
        what = f"--log {path}: cannot be written: {error.strerror}"
        raise UsageError(what, "Give a file in a directory that exists.") from None


def _log_line(received: Received) -> str:
    """A request as a line of JSON. No headers: they hold the key."""
    line = {
        "method": received.method,
        "path": received.path,
        "arrived": received.arrived,
        "sent": received.sent,
        "status": received.status,
        "step": received.step,
        "body": received.body or received.raw.decode("utf-8", "replace"),
    }
    return json.dumps(line, ensure_ascii=False) + "\n"

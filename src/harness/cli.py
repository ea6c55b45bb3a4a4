"""The `harness` command: finds out what is wanted and imports only that."""

import gc
import sys
from collections.abc import Callable, Sequence
from functools import partial

from harness import PROTOCOL_LEVEL, __version__
from harness.errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, HarnessError, UsageError

START_OBJECTS = 80_000  # more than a start makes


def _demo(argv: Sequence[str]) -> int:
    from harness.demo.demo import main as run  # noqa: PLC0415

    return run(argv)


def _serve_script(argv: Sequence[str]) -> int:
    from harness.scripted.serve import main as run  # noqa: PLC0415

    return run(argv)


def _sandbox(argv: Sequence[str]) -> int:
    match list(argv):
        case ["exec", *rest]:
            from harness.sandbox.exec import sandbox_exec  # noqa: PLC0415

            return sandbox_exec(rest)
        case ["explain", *rest]:
            from harness.sandbox.explain import sandbox_explain  # noqa: PLC0415

            return sandbox_explain(rest)
    raise UsageError("harness sandbox: it can exec and explain.", "Try: harness sandbox exec -- true")


def _events(argv: Sequence[str]) -> int:
    from harness.catalogue import print_events, print_schema  # noqa: PLC0415

    if list(argv) not in ([], ["--schema"]):
        raise UsageError(f"harness events takes no arguments but --schema, not {argv[0]!r}.", "Run: harness events")
    if argv:
        print_schema()
    else:
        print_events()
    return EXIT_OK


def _config(argv: Sequence[str]) -> int:
    from harness.commands.config import main as run  # noqa: PLC0415

    return run(argv)


def _trust(argv: Sequence[str]) -> int:
    from harness.commands.trust import main as run  # noqa: PLC0415

    return run(argv)


def _permissions(argv: Sequence[str]) -> int:
    from harness.commands.permissions import main as run  # noqa: PLC0415

    return run(argv)


def _sessions(argv: Sequence[str]) -> int:
    from harness.commands.sessions import main as run  # noqa: PLC0415

    return run(argv)


def _doctor(argv: Sequence[str]) -> int:
    from harness.doctor.main import main as run  # noqa: PLC0415

    return run(argv)


def _wire(argv: Sequence[str]) -> int:
    from harness.commands.wire import main as run  # noqa: PLC0415

    return run(argv)


def _rewind(argv: Sequence[str]) -> int:
    from harness.commands.rewind import main as run  # noqa: PLC0415

    return run(argv)


def _replay(argv: Sequence[str]) -> int:
    from harness.commands.replay import main as run  # noqa: PLC0415

    return run(argv)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": _demo,
    "serve-script": _serve_script,
    "doctor": _doctor,
    "config": _config,
    "trust": _trust,
    "permissions": _permissions,
    "wire": _wire,
    "sessions": _sessions,
    "rewind": _rewind,
    "replay": _replay,
    "sandbox": _sandbox,
    "events": _events,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    if argv is not None:
        return _run(list(argv))
    usual = gc.get_threshold()
    gc.callbacks.append(started := partial(_started, usual))
    gc.set_threshold(START_OBJECTS, *usual[1:])
    try:
        return _run(sys.argv[1:])
    finally:
        if started in gc.callbacks:
            gc.callbacks.remove(started)
        gc.freeze()  # what ends with the process is not looked through once more


def _started(usual: tuple[int, int, int], phase: str, _info: dict[str, int]) -> None:
    """Nearly all that a start makes stays: to look through it for what may go, again and again while it grows, was a
    seventh of a short run. Once it is there it is left alone, and garbage is collected as usual."""
    if phase == "stop" and gc.get_threshold() != usual:
        gc.set_threshold(*usual)
        gc.freeze()


def _run(words: list[str]) -> int:
    try:
        return _told(words)
    except HarnessError as error:
        _tell(f"Error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return EXIT_OK
    except Exception as error:  # noqa: BLE001  a bug of ours: told in words, with the traceback kept for a report
        _tell(f"Error: harness has a fault: {type(error).__name__}: {error}")
        _tell(f"Please report it with {_kept_traceback(error)}")
        return EXIT_ERROR


def _tell(text: str) -> None:
    """An error may repeat what a server or a project's file says: none of it may command the terminal."""
    from harness.render import safe  # noqa: PLC0415  not needed where nothing is wrong

    print(safe(text) if sys.stderr and sys.stderr.isatty() else text, file=sys.stderr)  # noqa: T201


def _told(words: list[str]) -> int:
    """Dispatch, and find out here whether what was printed arrives: the interpreter's last flush is too late."""
    try:
        code = _dispatch(words)
    except SystemExit as ended:  # argparse's --help and --version
        code = int(ended.code or EXIT_OK)
    try:
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_stdout()
        raise HarnessError(f"Standard output cannot be written: {error.strerror}.", "Write it elsewhere.") from None
    return code


def _drop_stdout() -> None:
    """The reader has gone: nobody is to be told, not even by the interpreter's own last flush."""
    import os  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _kept_traceback(error: Exception) -> str:
    import tempfile  # noqa: PLC0415
    import traceback  # noqa: PLC0415

    with tempfile.NamedTemporaryFile("w", prefix="harness-fault-", suffix=".txt", delete=False) as file:
        file.writelines(traceback.format_exception(error))
    return file.name


def _speaks_json(words: list[str]) -> bool:
    """Whether a program drives us: prompts and control requests come as lines of JSON."""
    ours = words[: words.index("--")] if "--" in words else words
    after = ours[ours.index("--input-format") + 1 :][:1] if "--input-format" in ours else []
    return "--input-format=stream-json" in ours or after == ["stream-json"]


def _dispatch(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        return COMMANDS[words[0]](words[1:])
    if words[:1] in (["-v"], ["--version"]):
        print(f"{PROTOCOL_LEVEL} (harness {__version__})")  # noqa: T201
        return EXIT_OK
    if _speaks_json(words):
        from harness.sdk import serve  # noqa: PLC0415

        return serve.main(words)
    from harness import flags  # noqa: PLC0415  argparse is not needed for the version
    from harness.flags.foreign import refuse_command  # noqa: PLC0415

    refuse_command(words, COMMANDS)
    given = flags.parse(words)
    for flag in given.vendor:
        print(f"harness: {flag} belongs to another harness's cloud or screen; it has no effect here.", file=sys.stderr)  # noqa: T201
    if given.headless:
        from harness import headless  # noqa: PLC0415

        return headless.main(given)
    from harness import terminal  # noqa: PLC0415

    return terminal.main(given)

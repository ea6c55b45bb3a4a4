"""The `harness` command: finds out what is wanted and imports only that."""

import sys
from collections.abc import Callable, Sequence

from harness import PROTOCOL_LEVEL, __version__
from harness.errors import EXIT_INTERRUPTED, EXIT_OK, HarnessError, UsageError


def _demo(argv: Sequence[str]) -> int:
    from harness.demo.demo import main as run  # noqa: PLC0415

    return run(argv)


def _serve_script(argv: Sequence[str]) -> int:
    from harness.scripted.serve import main as run  # noqa: PLC0415

    return run(argv)


def _sandbox(argv: Sequence[str]) -> int:
    from harness.sandbox.exec import sandbox_exec  # noqa: PLC0415

    if argv[:1] != ["exec"]:
        raise UsageError("harness sandbox: exec is the one thing it can do.", "Try: harness sandbox exec -- true")
    return sandbox_exec(list(argv[1:]))


def _events(argv: Sequence[str]) -> int:
    from harness.catalogue import print_events  # noqa: PLC0415

    if argv:
        raise UsageError(f"harness events takes no arguments, not {argv[0]!r}.", "Run: harness events")
    print_events()
    return EXIT_OK


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": _demo,
    "serve-script": _serve_script,
    "sandbox": _sandbox,
    "events": _events,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except HarnessError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; there is nobody to tell
        return EXIT_OK


def _dispatch(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        return COMMANDS[words[0]](words[1:])
    if words[:1] in (["-v"], ["--version"]):
        print(f"{PROTOCOL_LEVEL} (harness {__version__})")  # noqa: T201
        return EXIT_OK
    from harness import flags  # noqa: PLC0415  argparse is not needed for the version

    if len(words) == 1 and words[0].isascii() and (near := flags.nearest(words[0], COMMANDS)):
        raise UsageError(f"harness: there is no command {words[0]!r}.", f"Did you mean: harness {near}")
    given = flags.parse(words)
    for flag in given.vendor:
        print(f"harness: {flag} belongs to another harness's cloud; it has no effect here.", file=sys.stderr)  # noqa: T201
    if given.headless:
        from harness import headless  # noqa: PLC0415

        return headless.main(given)
    from harness import terminal  # noqa: PLC0415

    return terminal.main(given)

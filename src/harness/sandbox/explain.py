"""`harness sandbox explain`: what a command may do under a policy, in words."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.errors import SandboxUnavailable, UsageError
from harness.sandbox import asked, bwrap, cgroup, limits, probe, snapshot
from harness.sandbox.bwrap import Layer, Snapshot
from harness.sandbox.policy import Policy

_MOST = 12  # paths of one kind that are named
_SIZES = f"files of at most {limits.FILE_KIB >> 20} GiB; no core dumps"


def sandbox_explain(argv: Sequence[str]) -> int:
    """Print what a command would be held to with these flags; 1 where it could not run at all.

    Raises UsageError.
    """
    flags, command = asked.parse("explain", argv)
    if command:
        raise UsageError(
            "harness sandbox explain runs nothing.", "Leave the command away, or use: harness sandbox exec"
        )
    policy = asked.policy(flags)
    user = snapshot.acting_user(policy)[0]
    try:
        found = probe.describe(policy)
        disk = snapshot.take(policy, user)
    except SandboxUnavailable as error:
        print(f"level      {policy.level}: it cannot be had here. {error.what}\n           {error.mend}")  # noqa: T201
        return 1
    print("\n".join(explained(policy, disk, found, user, flags.allow_domain)))  # noqa: T201
    return 0


def explained(policy: Policy, disk: Snapshot, found: str, user: int, domains: Sequence[str] = ()) -> Iterator[str]:
    """One line for each thing a person may want to know. Pure but for the limits."""
    yield f"level      {policy.level}, by {found}"
    yield f"runs as    uid {user}, without capabilities, in an environment of listed variables"
    if policy.project_readonly:
        yield f"project    {policy.project}: cannot be changed"
    yield from _degraded(policy, disk) if policy.level == "degraded" else _full(policy, disk)
    yield _line("denied", policy.deny_read, "nothing more")
    yield f"network    {_network(policy, domains)}"
    more = [
        name for name, given in (("Unix sockets", policy.allow_unix_sockets), ("tracing", policy.allow_ptrace)) if given
    ]
    yield f"allowed    {', '.join(more) or 'no Unix sockets, no tracing, no new namespaces, mounts, keys or modules'}"
    yield f"limits     {_processes(user)}; {limits.DATA_KIB >> 20} GiB of memory for each; {_SIZES}"


def _full(policy: Policy, disk: Snapshot) -> Iterator[str]:
    layers = bwrap.plan(policy, disk)
    named = {layer: [path for path in sorted(layers) if layers[path] is layer] for layer in Layer}
    writes = named[Layer.WRITE]
    yield _line("writes", (path for path in writes if not _below(path, writes)), "nothing on the disk")
    yield _line("scratch", disk.scratch, "nothing") + " (private, in memory, gone with the command)"
    yield _line("but not", (path for path in named[Layer.READ] if _below(path, writes)), "nothing")
    if disk.protection.placeholders:
        yield _line("nor make", (place.path for place in disk.protection.placeholders), "")
    yield "reads      the rest of the system, but what is hidden"
    secret = (*named[Layer.HIDDEN_DIR], *named[Layer.HIDDEN_FILE], *named[Layer.EMPTY])
    yield _line("hidden", (path for path in secret if path not in policy.deny_read), "nothing")


def _degraded(policy: Policy, disk: Snapshot) -> Iterator[str]:
    yield _line("writes", () if policy.project_readonly else (policy.project, *policy.write), "nothing on the disk")
    yield "scratch    a TMPDIR of the command's own, gone with it; not /tmp"
    yield _line("but not", (*disk.installation, *policy.deny_write), "nothing") + "; protected names are NOT held"
    yield "reads      the system's programs and settings, toolchains in the home, the project; nothing else"


def _line(name: str, paths: Iterable[Path], none: str) -> str:
    names = map(str, dict.fromkeys(paths))
    words = [name if name.isprintable() else repr(name)[1:-1] for name in names]  # a repository may have chosen it
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return f"{name:<11}{', '.join(words[:_MOST]) or none}{more}"


def _below(path: Path, roots: Iterable[Path]) -> bool:
    return any(root in path.parents for root in roots)


def _network(policy: Policy, domains: Sequence[str]) -> str:
    if policy.network == "host":
        return "the machine's own"
    if policy.network == "proxy":
        return f"by HTTP_PROXY to {', '.join(domains) or 'no host yet'}, names and addresses checked outside"
    return "no sockets at all" if policy.level == "degraded" else "none but a loopback of the session's own"


def _processes(user: int) -> str:
    if user != 0:
        return f"{limits.PROCESSES} processes"
    group = cgroup.own()
    return f"{limits.PROCESSES} processes of all commands together" if group else "no bound on root's processes"

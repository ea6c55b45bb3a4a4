"""Limits on what a command may use, as the first words of its shell: they are inherited and cannot be raised.

Said in the shell and not by `preexec_fn`, which is unsafe beside threads. Processes are counted inside the user
namespace; real root is exempt from that count, and memory is counted for one process: `cgroup` bounds them together.
"""

FILE_KIB = 16 << 20  # one file: 16 GiB
DATA_KIB = 8 << 20  # private memory of one process: 8 GiB
PROCESSES = 2048


def ulimits(*, sandboxed: bool) -> str:
    """bash words. Outside the sandbox only core dumps are switched off: the user's own limits hold there."""
    if not sandboxed:
        return "ulimit -c 0"
    # A limit that is already lower stays as it is: raising it fails, and says so to nobody.
    words = (f"ulimit -{letter} {value} 2>/dev/null" for letter, value in _LIMITS)
    return "; ".join(words)


_LIMITS = (("c", 0), ("f", FILE_KIB), ("d", DATA_KIB), ("u", PROCESSES))

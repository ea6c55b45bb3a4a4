"""The system-call filter, assembled here: no libseccomp, one descriptor for `bwrap --seccomp`.

Everything is allowed but a list (EPERM), `clone3` (ENOSYS: the C library falls back to `clone`, whose flags a
filter can see) and foreign architectures (the process is killed). The program is a binary search over the
system-call number, so that a hot call costs seven comparisons and not the whole list.

Sources: linux/filter.h, linux/seccomp.h, linux/audit.h, and the kernel's system-call tables.
"""

import errno
import functools
import struct
from collections.abc import Iterator, Sequence

_LOAD, _AND, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _ARG = 0, 4, (16, 24, 32)  # offsets into struct seccomp_data, low words (little endian)
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000

# Refused outright: (x86-64, aarch64), None where the architecture has no such call.
DENIED: dict[str, tuple[int, int | None]] = {
    # looking into or steering other processes
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    # keys of the user's session
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # wide kernel surface
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "mbind": (237, 235),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # mounts, roots, namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    "unshare": (272, 97),
    "open_by_handle_at": (304, 265),
    # the machine
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "vhangup": (153, 58),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "iopl": (172, None),
    "ioperm": (173, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
}
PTRACE: dict[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
}
# Memory and queues that processes share by number: refused where there is no namespace for them.
SHARED: dict[str, tuple[int, int]] = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
CHECKED: dict[str, tuple[int, int]] = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "personality": (135, 92),
    "socket": (41, 198),
    "socketpair": (53, 199),
}
# NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME is not a flag of clone().
CLONE_NEW_ANY = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
PERSONALITIES = (0, 8, 0x40000, 0xFFFFFFFF)  # Linux, 32-bit Linux, no address randomisation, a query
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _SEQPACKET = 1, 5

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand
Program = list[Instruction]


@functools.cache
def build(
    machine: str,
    *,
    allow_unix: bool = False,
    allow_ptrace: bool = False,
    shared: bool = True,
    sockets: bool = True,
) -> bytes:
    """The filter as an array of `struct sock_filter`. Raises KeyError for a machine not in `AUDIT_ARCH`.

    Without namespaces of its own a command gets neither `shared` memory by number nor `sockets` of the network.
    """
    column = 0 if machine == "x86_64" else 1
    program: Program = [(_LOAD, 0, 0, _ARCH), (_JEQ, 1, 0, AUDIT_ARCH[machine]), _give(_KILL)]
    program.append((_LOAD, 0, 0, _NUMBER))
    if machine == "x86_64":
        program += [(_JGE, 0, 1, _X32_BIT), _give(_KILL)]
    denied: dict[str, tuple[int, int | None]] = {**DENIED}
    denied |= {} if allow_ptrace else PTRACE
    denied |= {} if shared else SHARED
    rules: dict[int, Program] = {}
    for numbers in denied.values():
        if (number := numbers[column]) is not None:
            rules[number] = [_refuse()]
    for name, check in _checks(allow_unix, sockets).items():
        rules[CHECKED[name][column]] = check
    program += _search(list(_intervals(rules)))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _give(value: int) -> Instruction:
    return (_RETURN, 0, 0, value)


def _refuse(error: int = errno.EPERM) -> Instruction:
    return _give(_ERRNO | error)


def _checks(allow_unix: bool, sockets: bool) -> dict[str, Program]:
    # An end of a SOCK_DGRAM socketpair can still sendto() a path name, which would pass the rule on
    # socket(AF_UNIX): only connected kinds are given out.
    families = (*((_UNIX,) if allow_unix else ()), *((_INET, _INET6) if sockets else ()))
    kinds = (_STREAM, _SEQPACKET, 2) if allow_unix else (_STREAM, _SEQPACKET)
    route_only: Program = [(_LOAD, 0, 0, _ARG[2]), *_one_of((0,) if sockets else ())]
    return {
        "clone": [(_LOAD, 0, 0, _ARG[0]), (_JSET, 0, 1, CLONE_NEW_ANY), _refuse(), _give(_ALLOW)],
        "clone3": [_refuse(errno.ENOSYS)],
        # The kernel ignores the high half of ioctl's request: only the low words are compared.
        "ioctl": [(_LOAD, 0, 0, _ARG[1]), (_JEQ, 1, 0, TIOCSTI), (_JEQ, 0, 1, TIOCLINUX), _refuse(), _give(_ALLOW)],
        "personality": [(_LOAD, 0, 0, _ARG[0]), *_one_of(PERSONALITIES)],
        "socket": [
            (_LOAD, 0, 0, _ARG[0]),
            (_JEQ, 0, len(route_only), _NETLINK),
            *route_only,
            *_one_of(families),
        ],
        "socketpair": [
            (_LOAD, 0, 0, _ARG[0]),
            (_JEQ, 1, 0, _UNIX),
            _refuse(),
            (_LOAD, 0, 0, _ARG[1]),
            (_AND, 0, 0, 0xF),  # without SOCK_CLOEXEC and SOCK_NONBLOCK
            *_one_of(kinds),
        ],
    }


def _one_of(values: Sequence[int]) -> Program:
    """Allow if the accumulator is one of `values`, else refuse."""
    last = len(values) - 1
    jumps: Program = [(_JEQ, last - index + 1, 0, value) for index, value in enumerate(values)]
    return [*jumps, _refuse(), _give(_ALLOW)]


def _intervals(rules: dict[int, Program]) -> Iterator[tuple[int, Program]]:
    """(first number, what to do from there on), rising; gaps are allowed."""
    allow = [_give(_ALLOW)]
    yield 0, rules.get(0, allow)
    previous = rules.get(0, allow)
    for number in sorted({edge for nr in rules for edge in (nr, nr + 1)} - {0}):
        action = rules.get(number, allow)
        if action != previous:
            yield number, action
        previous = action


def _search(intervals: Sequence[tuple[int, Program]]) -> Program:
    if len(intervals) == 1:
        return intervals[0][1]
    middle = len(intervals) // 2
    below, above = _search(intervals[:middle]), _search(intervals[middle:])
    if len(below) > 255:
        raise ValueError("a jump of the filter does not fit its eight bits")
    return [(_JGE, len(below), 0, intervals[middle][0]), *below, *above]

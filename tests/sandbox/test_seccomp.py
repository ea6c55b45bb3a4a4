"""The filter, checked by interpreting it: every rule for every system-call number, without a kernel."""

import errno
import struct

import pytest

from harness.sandbox import seccomp

ALLOW, KILL = "allow", "kill"
MACHINES = tuple(seccomp.AUDIT_ARCH)


def interpret(program: bytes, number: int, arguments=(), *, machine="x86_64") -> str | int:
    """What the kernel's BPF machine would answer: allow, kill, or an errno."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, seccomp.AUDIT_ARCH.get(machine, 0x40000003), 0, *padded)
    instructions = list(struct.iter_unpack("<HBBI", program))
    counter = accumulator = 0
    while True:
        code, jump_true, jump_false, operand = instructions[counter]
        counter += 1
        match code:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, operand)[0]
            case 0x54:
                accumulator &= operand
            case 0x15:
                counter += jump_true if accumulator == operand else jump_false
            case 0x35:
                counter += jump_true if accumulator >= operand else jump_false
            case 0x45:
                counter += jump_true if accumulator & operand else jump_false
            case 0x06:
                answers: dict[int, str | int] = {0x7FFF0000: ALLOW, 0x80000000: KILL}
                return answers.get(int(operand), int(operand) & 0xFFFF)
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


def column(machine: str) -> int:
    return MACHINES.index(machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_number_of_the_table_is_refused_and_every_other_allowed(machine):
    program = seccomp.build(machine)
    refused = {numbers[column(machine)] for numbers in (seccomp.DENIED | seccomp.PTRACE).values()}
    checked = {numbers[column(machine)] for numbers in seccomp.CHECKED.values()}
    for number in set(range(1024)) - checked:
        assert interpret(program, number, machine=machine) == (errno.EPERM if number in refused else ALLOW), number


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("socket", (1, 1), errno.EPERM),  # AF_UNIX
        ("socket", (2, 1), ALLOW),
        ("socket", (10, 2), ALLOW),
        ("socket", (16, 3, 0), ALLOW),  # netlink, routes
        ("socket", (16, 3, 12), errno.EPERM),  # netlink, netfilter
        ("socket", (17, 3), errno.EPERM),  # packets
        ("socket", (38, 5), errno.EPERM),  # AF_ALG
        ("socket", (40, 1), errno.EPERM),  # AF_VSOCK
        ("socketpair", (1, 1), ALLOW),
        ("socketpair", (1, 5), ALLOW),
        ("socketpair", (1, 0x80001), ALLOW),  # with SOCK_CLOEXEC
        ("socketpair", (1, 2), errno.EPERM),  # a datagram end can reach a path
        ("socketpair", (1, 0x80002), errno.EPERM),
        ("socketpair", (2, 1), errno.EPERM),
        ("ioctl", (0, seccomp.TIOCSTI), errno.EPERM),
        ("ioctl", (0, seccomp.TIOCSTI | 1 << 40), errno.EPERM),  # the kernel ignores the high half
        ("ioctl", (0, seccomp.TIOCLINUX), errno.EPERM),
        ("ioctl", (0, 0x5401), ALLOW),
        ("clone", (0x10000011,), errno.EPERM),  # a user namespace
        ("clone", (0x01200011,), ALLOW),  # fork
        ("clone", (0x003D0F00,), ALLOW),  # a thread
        ("clone3", (), errno.ENOSYS),
        ("personality", (0xFFFFFFFF,), ALLOW),
        ("personality", (0x0400000,), errno.EPERM),
    ],
)
def test_calls_are_judged_by_their_arguments(machine, name, arguments, answer):
    number = seccomp.CHECKED[name][column(machine)]
    assert interpret(seccomp.build(machine), number, arguments, machine=machine) == answer


@pytest.mark.parametrize("bit", range(64))
def test_clone_allows_no_new_namespace_by_any_single_flag(bit):
    flags = 1 << bit
    refused = bool(flags & seccomp.CLONE_NEW_ANY)
    assert interpret(seccomp.build("x86_64"), 56, (flags,)) == (errno.EPERM if refused else ALLOW)


def test_a_foreign_architecture_and_x32_kill():
    assert interpret(seccomp.build("x86_64"), 0, machine="i386") == KILL
    assert interpret(seccomp.build("x86_64"), 0x40000029, (1,)) == KILL
    assert interpret(seccomp.build("aarch64"), 0, machine="x86_64") == KILL


def test_options_open_only_what_they_name():
    unix, trace = seccomp.build("x86_64", allow_unix=True), seccomp.build("x86_64", allow_ptrace=True)
    assert interpret(unix, 41, (1, 1)) == interpret(unix, 53, (1, 2)) == interpret(trace, 101) == ALLOW
    assert interpret(unix, 41, (40, 1)) == interpret(trace, 41, (1, 1)) == interpret(trace, 165) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_without_namespaces_shared_memory_and_sockets_are_refused_too(machine):
    program = seccomp.build(machine, shared=False, sockets=False)
    tables = (seccomp.DENIED, seccomp.PTRACE, seccomp.SHARED)
    refused = {numbers[column(machine)] for table in tables for numbers in table.values()}
    checked = {numbers[column(machine)] for numbers in seccomp.CHECKED.values()}
    for number in set(range(1024)) - checked:
        assert interpret(program, number, machine=machine) == (errno.EPERM if number in refused else ALLOW), number
    socket, pair = (seccomp.CHECKED[name][column(machine)] for name in ("socket", "socketpair"))
    families = [interpret(program, socket, (family, 1), machine=machine) for family in range(50)]
    assert set(families) == {errno.EPERM}
    assert interpret(program, pair, (1, 1), machine=machine) == ALLOW


def test_a_machine_without_a_table_is_refused():
    with pytest.raises(KeyError):
        seccomp.build("riscv64")

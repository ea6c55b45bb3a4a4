"""The program that confines itself by Landlock and seccomp and then becomes the command. It runs alone.

    python -I -S landlocked.py DESCRIPTOR COMMAND...

The descriptor holds a JSON object, see `landlock.Rules`. Whatever cannot be done ends it with status 126 and a line
on stderr: nothing of the command has run then. Only system calls by number and a little of libc: no package of ours
is imported, so that it starts fast and needs to read nothing.

Sources: linux/landlock.h, linux/prctl.h, linux/capability.h.
"""

import ctypes
import json
import os
import stat
import struct
import sys

OPENAT2 = 437
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CAPSET = {"x86_64": 126, "aarch64": 91}
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
ALL = {3: (1 << 15) - 1, 5: (1 << 16) - 1}  # every right on files, by the ABI that brought the last
FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # what a rule for a file can hold
READ = EXECUTE | READ_FILE | READ_DIR
_MAKE_DEVICES = 1 << 6 | 1 << 11
RIGHTS = {"read": READ, "device": WRITE_FILE | READ_FILE | READ_DIR | TRUNCATE | IOCTL_DEV}
OLDEST = 3  # before it truncate() was free everywhere
SET_NO_NEW_PRIVS, SET_SECCOMP, CAPBSET_DROP, SET_PDEATHSIG = 38, 22, 24, 1
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    spec_file, command = int(sys.argv[1]), sys.argv[2:]
    with open(spec_file, encoding="utf-8") as file:
        spec = json.load(file)
    check(_libc.prctl(SET_PDEATHSIG, 9, 0, 0, 0), "pdeathsig")
    drop_capabilities()
    check(_libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    restrict(spec)
    filter_calls(bytes.fromhex(spec["filter"]))
    os.execvp(command[0], command)  # noqa: S606  the command is what this is for


def abi() -> int:
    """The kernel's version of Landlock, 0 where it has none or it is switched off."""
    found: int = _libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    return max(found, 0)


def restrict(spec: "dict[str, list[str]]") -> None:
    version = abi()
    if version < OLDEST:
        raise OSError(0, f"Landlock is at version {version} here, {OLDEST} is needed")
    every = ALL[5 if version >= 5 else 3]
    words = [every]
    if version >= 4:
        words.append(0b11 if spec["scope"] else 0)
    if version >= 6:
        words.append(0b11)
    attributes = struct.pack(f"{len(words)}Q", *words)
    rules = check(_libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "create_ruleset")
    rights = RIGHTS | {"write": every & ~_MAKE_DEVICES, "change": every & ~_MAKE_DEVICES & ~(READ_FILE | EXECUTE)}
    for kind, right in rights.items():
        for path in spec[kind]:
            allow(rules, path, right & every)
    check(_libc.syscall(RESTRICT_SELF, rules, 0), "restrict_self")
    os.close(rules)


def allow(rules: int, path: str, rights: int) -> None:
    # Real paths, opened without following any link: one that was put there since must not widen anything.
    how = struct.pack("3Q", os.O_PATH | os.O_CLOEXEC, 0, 0x04)
    place: int = _libc.syscall(OPENAT2, -100, os.fsencode(path), how, ctypes.c_size_t(len(how)))
    if place < 0:
        return  # not there, or not ours to open: then there is nothing to allow
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= FILE
        rule = struct.pack("=Qi", rights, place)
        check(_libc.syscall(ADD_RULE, rules, 1, rule, 0), f"add_rule {path}")
    finally:
        os.close(place)


def drop_capabilities() -> None:
    """Root keeps its number and loses its powers, also those that an exec would give back."""
    number = 0
    while _libc.prctl(CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1
    if os.geteuid() == 0:
        header = struct.pack("=Ii", 0x20080522, 0)
        check(_libc.syscall(CAPSET[os.uname().machine], header, bytes(24)), "capset")


def filter_calls(program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    check(_libc.prctl(SET_SECCOMP, 2, header, 0, 0), "seccomp")


def check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.stderr.write(f"harness: the degraded sandbox cannot be set up: {error.strerror}\n")
        sys.exit(126)

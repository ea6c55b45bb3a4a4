"""Run as a script: listen inside a sandbox's network namespace, and hand the listener out.

`python -I -S inside.py SOCKET ADDRESS PORT`: reads a process id as a line from SOCKET, enters that process's network
namespace, listens, and sends the descriptor back. It is a process of its own since entering a user namespace takes a
single thread; it imports little, since a command waits for it.
"""

import _socket
import array
import ctypes
import fcntl
import os
import sys

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_GET_USERNS = 0xB701  # ioctl: the user namespace that owns a namespace
_FREEBIND = 15  # the loopback address may not be set yet


def main() -> None:
    here = _socket.socket(fileno=int(sys.argv[1]))
    pid = int(here.recv(32))
    try:
        network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if os.fstat(network).st_ino == os.stat("/proc/self/ns/net").st_ino:  # noqa: PTH116  no pathlib here
            raise OSError("the sandbox shares our network namespace")
        owner = fcntl.ioctl(network, _GET_USERNS)
        if os.fstat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:  # noqa: PTH116
            _enter(owner, _NEWUSER)
        _enter(network, _NEWNET)
        listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        listener.setsockopt(_socket.IPPROTO_IP, _FREEBIND, 1)
        listener.bind((sys.argv[2], int(sys.argv[3])))
        listener.listen(128)
    except OSError as error:
        here.send(f"{error}".encode())
        return
    numbers = array.array("i", [listener.fileno()])
    here.sendmsg([b"ok"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)])


def _enter(number: int, kind: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(number, kind) != 0:
        raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()

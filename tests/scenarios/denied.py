"""As in a container that denies namespaces by seccomp: `python denied.py COMMAND...` becomes the command, under a filter
that refuses unshare, setns, mount and clone with namespace flags."""

import os
import platform
import sys

from harness.sandbox import landlocked, seccomp

if __name__ == "__main__":
    landlocked.check(landlocked._libc.prctl(landlocked.SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    landlocked.filter_calls(seccomp.build(platform.machine(), allow_unix=True, allow_ptrace=True))
    os.execvp(sys.argv[1], sys.argv[1:])

"""Runs a command that does not outlive the process that started it (Linux).

    python mobilenet/sweeps/leash.py PARENT_PID COMMAND ...

A run whose sweep was killed would go on unnoticed and collide with its successor in the
same folder. So the kernel kills it; its checkpoints are whole at any moment. Where the
system has no such call (macOS), the command simply runs. This is a program of its own,
since code between fork and exec is not safe in a process with threads, such as JAX's.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; survives exec


def main() -> None:
  parent, command = int(sys.argv[1]), sys.argv[2:]
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
      sys.exit('the process that started this command is gone')
  os.execvp(command[0], command)


if __name__ == '__main__':
  main()

"""The C library's memory allocator, told to keep what a CPU training step frees."""

import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h
_PAD = 64 << 20


def keep_freed_memory() -> bool:
  """Stops glibc from handing large blocks back to the kernel at every free.

  XLA's CPU backend allocates its buffers anew for every step. glibc maps blocks of
  over 32 MB afresh each time, so that every page of every step is faulted in and
  cleared again: as much time as the arithmetic, in small networks more.

  Returns:
    Whether this process has such an allocator and took the settings.
  """
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (OSError, AttributeError, TypeError):  # not glibc: macOS, musl, Windows
    return False
  return bool(
    mallopt(_M_MMAP_MAX, 0)
    and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    and mallopt(_M_TOP_PAD, _PAD)
  )

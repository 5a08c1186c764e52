"""What the C library's allocator keeps, seen from a process of its own."""

import subprocess
import sys

import pytest

from mobilenet.training import allocator

# Pieces below what stays, as a compiler leaves them.
PROGRAM = """
import ctypes
from mobilenet.training import allocator

assert allocator.keep_freed_memory()
c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def held():
  with open('/proc/self/status') as file:
    return next(int(line.split()[1]) for line in file if line.startswith('VmRSS'))

begin = held()
pieces = [c.malloc(1 << 20) for _ in range(200)]
for piece in pieces:
  ctypes.memset(piece, 1, 1 << 20)
stays = c.malloc(1 << 10)
for piece in pieces:
  c.free(piece)
kept = held()
assert allocator.give_back_freed_memory()
print(kept - begin, held() - begin)
"""


@pytest.mark.skipif(
  not sys.platform.startswith('linux'), reason='the allocator is that of Linux'
)
def test_what_is_free_is_given_back_when_asked():
  done = subprocess.run(
    [sys.executable, '-c', PROGRAM], capture_output=True, text=True, check=False
  )
  if 'AssertionError' in done.stderr and 'keep_freed_memory' in done.stderr:
    pytest.skip('this C library has no such settings')
  kept, left = map(int, done.stdout.split())
  assert kept > 190 << 10  # KiB: a training step finds it again
  assert left < 20 << 10


def test_another_c_library_is_no_error(monkeypatch):
  monkeypatch.setattr(allocator.ctypes, 'CDLL', lambda name: object())
  assert not allocator.give_back_freed_memory()

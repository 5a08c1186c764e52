"""Runs the accelerator's tests under the compiler's sanitizers.

    python -m tests.sanitizers [tests, or other arguments of pytest]

The kernels are built with AddressSanitizer and UndefinedBehaviorSanitizer, beside the
usual library, and the tests run as always: memory outside of an array, an unaligned
vector or an overflow ends them with a report of the line. Needs g++ and takes
minutes.
"""

import os
import subprocess
import sys

import pytest

from mobilenet.models.accelerator import build

TESTS = (
  'tests/models/test_accelerator.py',
  'tests/models/test_conv_norm.py',
  'tests/models/test_lowering.py',
  'tests/training/test_update.py',
)
FLAGS = (
  *(flag for flag in build.FLAGS if not flag.startswith('-O')),
  *('-O1', '-g', '-fno-omit-frame-pointer'),
  *('-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'),
)
_LIBRARIES = 'libasan.so', 'libubsan.so'


def main(arguments: list[str]) -> int:
  if 'libasan' not in os.environ.get('LD_PRELOAD', ''):
    return _again_with_libraries(arguments)
  build.FLAGS = FLAGS  # part of the library's name
  return pytest.main(['-n', '0', '-s', *(arguments or TESTS)])


def _again_with_libraries(arguments: list[str]) -> int:
  """Python itself is not built with them, so they are loaded before it."""
  found = [
    subprocess.run(
      ['g++', f'-print-file-name={name}'], check=True, capture_output=True, text=True
    ).stdout.strip()
    for name in _LIBRARIES
  ]
  environment = os.environ | {
    'LD_PRELOAD': ' '.join(found),
    'CXX': 'g++',
    # Python and XLA keep what they allocate, and handle their own signals.
    'ASAN_OPTIONS': 'detect_leaks=0:handle_segv=0:detect_odr_violation=0',
  }
  command = [sys.executable, '-m', 'tests.sanitizers', *arguments]
  return subprocess.run(command, env=environment).returncode


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))

"""Where things made or fetched once are kept, and for which kind of processor."""

import hashlib
import os
import pathlib
import platform

CPU_INFO = pathlib.Path('/proc/cpuinfo')


def folder(name: str) -> pathlib.Path:
  """`mobilenet-jax/NAME` in XDG_CACHE_HOME or ~/.cache; nothing is made."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return pathlib.Path(home, 'mobilenet-jax', name)


def processor() -> str:
  """A name for this kind of CPU: 'x86_64-' and a hash of its model and instructions.

  A home folder may be shared by machines, and a program for one CPU may use
  instructions that another lacks.
  """
  try:
    told = {
      line
      for line in CPU_INFO.read_text().splitlines()
      if line.startswith(('model name', 'flags', 'Features'))
    }
  except OSError:  # no Linux
    told = {platform.processor()}
  digest = hashlib.sha256('\n'.join(sorted(told)).encode()).hexdigest()
  return f'{platform.machine()}-{digest[:8]}'

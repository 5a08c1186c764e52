"""main.py with a network of three rows, under the name 'tiny': compiled in a second.

python -m tests.tiny --config=configs/v3_small.py:quick --config.model.name=tiny
"""

import contextlib
import io
import pathlib
import sys
from typing import NamedTuple
from unittest import mock

import main
from mobilenet.models import zoo
from mobilenet.models.rows import Conv, Head, Inverted, Network, Style

ROOT = pathlib.Path(__file__).parents[1]

NETWORK = Network(
  rows=(
    Conv(3, 8, 2, 'hard_swish'),
    Inverted(3, 2, 8, 1, 0.25, 'relu'),
    Conv(1, 16, 1, 'hard_swish'),
  ),
  head=Head(8, 'hard_swish'),
  style=Style(norm_momentum=0.8),
)

# What is tested is the road, not the destination.
CONFIG = (
  '--config=configs/v3_small.py:quick',
  '--config.model.name=tiny',
  '--config.resolution=32',
  '--config.data.made_examples=48',
  '--config.epochs=2',
  '--config.log_steps=2',
  '--config.eval_every_epochs=1',
  '--config.checkpoint_every_epochs=1',
)


class Done(NamedTuple):
  returncode: int
  stdout: str
  stderr: str


def run(*arguments) -> Done:
  """Runs main.py in this process, in the folder of the project."""
  out, err = io.StringIO(), io.StringIO()
  with (
    mock.patch.dict(zoo.NETWORKS, tiny=NETWORK),
    contextlib.chdir(ROOT),
    contextlib.redirect_stdout(out),
    contextlib.redirect_stderr(err),
  ):
    try:
      code = main.main(['main.py', *map(str, arguments)])
    except SystemExit as end:
      code = end.code
  return Done(code, out.getvalue(), err.getvalue())


def command(*arguments) -> list[str]:
  """The same as a process of its own."""
  return [sys.executable, '-m', 'tests.tiny', *map(str, arguments)]


if __name__ == '__main__':
  zoo.NETWORKS['tiny'] = NETWORK
  sys.exit(main.main(sys.argv))

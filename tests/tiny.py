"""main.py with a network of three rows, under the name 'tiny': compiled in a second.

python -m tests.tiny --config=configs/v3_small.py:quick --config.model.name=tiny

It has one device where not told otherwise: programs for four compile several times as
long. The tests of `training` have them.
"""

import contextlib
import io
import pathlib
import sys
from typing import NamedTuple
from unittest import mock

import jax

import main
from mobilenet.models import detectors, embedders, segmenters, zoo
from mobilenet.models.rows import Conv, Head, Inverted, Network, Style
from mobilenet.reports import run_report
from mobilenet.training import sharding
from tests.devices import first

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

# A trunk for detectors and segmenters, which take maps of stride 8 to 32.
TRUNK = Network(
  rows=(
    Conv(3, 8, 2, 'relu6'),
    *(Inverted(3, 2, 8, 2, act='relu6') for _ in range(3)),
    Inverted(3, 2, 16, 2, act='relu6'),
  ),
  head=Head(),
  style=Style(norm_momentum=0.8),
)
SSD = detectors.Named('tiny_trunk', False, detectors.Ssd())
EMBEDDER = embedders.Named('tiny')
LRASPP = segmenters.Named('tiny_trunk', '', 32, segmenters.LrAspp(filters=8))

# What is tested is the road, not the destination.
CONFIG = (
  '--config=configs/v3_small.py:quick',
  '--config.model.name=tiny',
  '--config.resolution=32',
  '--config.model.lowering=native',  # compiles faster
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


@contextlib.contextmanager
def patched(devices: int | None = 1):
  """The network has a name, and meshes so many devices where none are named."""
  make_mesh = sharding.make_mesh

  def make_small_mesh(given=None, shards=1):
    if given is None:
      given = jax.devices() if devices is None else first(devices)
    return make_mesh(given, shards)

  with (
    mock.patch.dict(zoo.NETWORKS, tiny=NETWORK, tiny_trunk=TRUNK),
    mock.patch.dict(detectors.DETECTORS, tiny_ssd=SSD),
    mock.patch.dict(segmenters.SEGMENTERS, tiny_lraspp=LRASPP),
    mock.patch.dict(embedders.EMBEDDERS, tiny_embedder=EMBEDDER),
    mock.patch.object(sharding, 'make_mesh', make_small_mesh),
    mock.patch.object(sharding, 'SMALL', 64),  # shards cut its arrays, too
  ):
    yield


def run(*arguments, report: bool = True, devices: int = 1) -> Done:
  """Runs main.py in this process, in the folder of the project.

  Without `report` a training ends without its tables and figures, which take seconds.
  """
  out, err = io.StringIO(), io.StringIO()
  unreported = mock.patch.object(run_report, 'write_training', return_value=None)
  with (
    patched(devices),
    contextlib.nullcontext() if report else unreported,
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
  # Of several processes all devices, else the mesh would be one of process 0.
  with patched(None if '--multihost' in sys.argv else 1):
    sys.exit(main.main(sys.argv))

"""Writes a run's weights as another framework loads them.

    python main.py --job=export --workdir=runs/v2 --format=timm --out=v2.safetensors

The printed line loads them there.
"""

import pathlib

from mobilenet import trained
from mobilenet.command_line import Flag, Given
from mobilenet.training import workdir
from mobilenet.training.errors import require
from mobilenet.weights import exporting

FLAGS = (
  Flag('format', str, 'own', 'own, torchvision, timm or keras.'),
  Flag('out', str, None, 'The file to write.'),
)


def run(given: Given) -> int:
  require(
    given.flags.out is not None, 'name the file to write: --out=weights.safetensors'
  )
  out = workdir.local_path(given.flags.out)
  export_weights(given.run_folder(), given.flags.format, out)
  return 0


def export_weights(folder: pathlib.Path, framework: str, out: pathlib.Path) -> None:
  """Writes a run's weights as another framework loads them.

  Args:
    folder: the run's.
    framework: a key of `exporting.FRAMEWORKS`.
    out: the file.

  Raises:
    TrainingError, ModelError: no run, or the framework has no such network.
  """
  weights = trained.to_weights(trained.load_run(folder))
  for line in exporting.export(weights, framework, out):
    print(line)

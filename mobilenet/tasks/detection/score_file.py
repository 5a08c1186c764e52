"""The score from which detections are shown: `scores.json` in a run's folder.

The report of a training chooses it, as that of the highest F1 at an IoU of 0.5 on the
split that measured the run. Predictions keep to it.
"""

import json
import pathlib

from mobilenet.tasks.detection.judgement import Point
from mobilenet.training import files
from mobilenet.training.errors import TrainingError

FILE = 'scores.json'
DEFAULT = 0.5  # where no report has chosen one


def write(folder: pathlib.Path, point: Point, *, split: str, step: int) -> None:
  """Writes the file.

  Raises:
    TrainingError: it cannot be written.
  """
  said = {
    'score': point.score,
    'precision': point.precision,
    'recall': point.recall,
    'split': split,
    'step': step,
  }
  files.replace_file(folder / FILE, (json.dumps(said, indent=2) + '\n').encode())


def remove(folder: pathlib.Path) -> None:
  """Removes the file, if there is one."""
  (folder / FILE).unlink(missing_ok=True)


def read(folder: pathlib.Path, step: int) -> float | None:
  """The score that was chosen for a run's weights; None where none was.

  Raises:
    TrainingError: the file is damaged.
  """
  path = folder / FILE
  if not path.exists():
    return None
  try:
    said = json.loads(path.read_text(encoding='utf-8'))
    return float(said['score']) if said['step'] == step else None
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise TrainingError(
      f'{path}, the score from which detections are shown, cannot be read ({error}); '
      'remove it, and --job=eval chooses none: give --score'
    ) from error

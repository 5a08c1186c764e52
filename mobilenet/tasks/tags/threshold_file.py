"""From which probability on a tag is said to hold: `thresholds.json` in a run's folder.

The report of a training chooses them, those of the highest F1 on the split that
measured the run. Predictions keep to them, and exported files hold them.
"""

import json
import pathlib
from collections.abc import Sequence

from mobilenet.training import files
from mobilenet.training.errors import TrainingError

FILE = 'thresholds.json'


def write(
  folder: pathlib.Path,
  names: Sequence[str],
  thresholds: Sequence[float],
  *,
  split: str,
  step: int,
) -> None:
  """Writes the file.

  Raises:
    TrainingError: it cannot be written.
  """
  said = {
    'thresholds': dict(zip(names, thresholds, strict=True)),
    'split': split,
    'step': step,
  }
  text = json.dumps(said, indent=2, ensure_ascii=False) + '\n'
  files.replace_file(folder / FILE, text.encode('utf-8', 'backslashreplace'))


def read(folder: pathlib.Path, step: int, names: Sequence[str]) -> list[float] | None:
  """The thresholds that were chosen for a run's weights; None where none were.

  Raises:
    TrainingError: the file is damaged, or of other tags.
  """
  path = folder / FILE
  if not path.exists():
    return None
  try:
    said = json.loads(path.read_text(encoding='utf-8'))
    if said['step'] != step:
      return None
    return [float(said['thresholds'][name]) for name in names]
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise TrainingError(
      f'{path}, the thresholds of the tags, cannot be read ({error!r}); remove it, and '
      'each tag is said to hold from a probability of 0.5 on'
    ) from error

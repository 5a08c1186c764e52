"""What a finished run has left, and in what it differs from another one."""

import json
import pathlib

from mobilenet.training import workdir as workdirs
from mobilenet.training.checkpoint_reading import SUMS, SUMS_FILE

# What a clock, the folder or the repository decides.
_OF_METRICS = ('images_per_second', 'waiting_share', 'seconds')
_OF_RESULT = (
  *('images_per_second', 'waiting_share', 'train_seconds', 'written'),
  *('config', 'environment'),
)
_PREDICTIONS = 'report/predictions.csv'


def of(workdir: pathlib.Path) -> dict[str, object]:
  """What must be the same, bit for bit, of every run of one config.

  Checksums of all parameters, averages and the optimizer's state after the last step
  and at the best one; metrics; the result and every prediction where they were written.
  """
  found: dict[str, object] = {}
  for name in ('.', 'best'):
    step = workdirs.newest_step(workdir / name)
    found[f'{name}/step'] = step
    sums = workdir / name / workdirs.CHECKPOINTS_FOLDER / str(step) / SUMS / SUMS_FILE
    for path, entry in json.loads(sums.read_text())['arrays'].items():
      found[f'{name}/{path}'] = entry
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  for number, line in enumerate(lines, 1):
    found[f'metrics.jsonl, line {number}'] = _without(json.loads(line), _OF_METRICS)
  if (path := workdir / workdirs.RESULT_FILE).exists():
    found[path.name] = _without(json.loads(path.read_text()), _OF_RESULT)
  if (path := workdir / _PREDICTIONS).exists():
    found[_PREDICTIONS] = path.read_text()
  return found


def difference(reference: dict[str, object], found: dict[str, object]) -> str:
  """Names what is not the same; '' if all is."""
  wrong = [
    name
    for name in dict.fromkeys((*reference, *found))
    if reference.get(name) != found.get(name)
  ]
  if not wrong:
    return ''
  first = wrong[0]
  return (
    f'{len(wrong)} of {len(reference)} differ: {first} is {found.get(first)} instead '
    f'of {reference.get(first)}'
  )


def litter(workdir: pathlib.Path) -> list[str]:
  """Temporary files and folders that nobody has removed, and damaged checkpoints."""
  return sorted(
    str(path.relative_to(workdir))
    for path in workdir.rglob('*')
    if path.name.endswith('.tmp')
    or 'orbax-checkpoint-tmp' in path.name
    or '.damaged' in path.name
  )


def _without(record: dict, fields: tuple[str, ...]) -> dict:
  return {name: value for name, value in record.items() if name not in fields}

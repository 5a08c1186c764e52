"""What networks scored on yardsticks: a table, a CSV and a JSON file of it."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet.reports import amounts, csv_file, terminal
from mobilenet.training import files, logs
from mobilenet.yardsticks.catalogue import ANSWERS, YARDSTICKS

CSV_FILE, JSON_FILE = 'yardsticks.csv', 'yardsticks.json'
_TIMM = (
  'model',
  'img_size',
  'top1',
  'top1_err',
  'top5',
  'top5_err',
  'param_count',
  'crop_pct',
  'interpolation',
)


@dataclasses.dataclass(frozen=True)
class Score:
  """What one network scored on one set.

  set: name of the yardstick. data: where its photos are from. run: the folder of the
  network. model: its name and width. img_size: px. top1, top5: percent; None where no
  photo was measured. num_examples: photos that were measured; unreadable and unlabelled
  ones are not among them. answers: classes that the network chose from.
  examples_trained_on: None where nobody knows. param_count: parameters. crop_pct,
  interpolation: of the preparation; None where no contract says them. ops: all of it.
  """

  set: str
  data: str
  run: str
  model: str
  img_size: int
  top1: float | None
  top5: float | None
  num_examples: int
  unreadable: int
  unlabelled: int
  answers: int
  examples_trained_on: int | None
  param_count: int
  crop_pct: float | None
  interpolation: str | None
  ops: str


def write(
  folder: pathlib.Path, scores: Sequence[Score], said: Mapping[str, Any]
) -> None:
  """Writes both files, each whole or not at all.

  The CSV has the columns of timm's results files, which are one for each set: a column
  in front names the set, those behind are our own. Accuracy is in percent, parameters
  are in millions.

  Args:
    folder: where to; made if missing.
    scores: at least one.
    said: what the JSON says besides, 'command' and 'environment'.

  Raises:
    TrainingError: a file cannot be written.
  """
  csv_file.write_records(folder / CSV_FILE, [_record(score) for score in scores])
  used = dict.fromkeys(score.set for score in scores)
  sets = {name: YARDSTICKS[name]._asdict() for name in used}
  made = {**said, 'sets': sets, 'scores': [dataclasses.asdict(s) for s in scores]}
  text = json.dumps(logs.to_json(made), indent=2, ensure_ascii=False) + '\n'
  files.replace_file(folder / JSON_FILE, text.encode('utf-8', 'backslashreplace'))


def _record(score: Score) -> dict[str, Any]:
  record = dataclasses.asdict(score)
  for name in ('top1', 'top5'):
    value = record[name]
    record[name] = None if value is None else f'{value:.3f}'
    record[f'{name}_err'] = None if value is None else f'{100 - value:.3f}'
  record['param_count'] = f'{score.param_count / 1e6:.2f}'
  if score.crop_pct is not None:
    record['crop_pct'] = f'{score.crop_pct:.4g}'
  columns = dict.fromkeys(('set', *_TIMM, *record))
  return {name: record[name] for name in columns}


def show(scores: Sequence[Score]) -> None:
  """Prints one table: a row for each network, two columns for each set."""
  runs = list(dict.fromkeys(score.run for score in scores))
  sets = list(dict.fromkeys(score.set for score in scores))
  columns = [('run', 'left'), ('network', 'left'), ('px', 'right')]
  for name in sets:
    columns += [(f'{name} top-1', 'right'), ('top-5', 'right')]
  table = terminal.make_table('Yardsticks', columns)
  by_place = {(score.run, score.set): score for score in scores}
  for run in runs:
    own = [by_place.get((run, name)) for name in sets]
    any_of = next(score for score in own if score)
    cells = [pathlib.Path(run).name, any_of.model, str(any_of.img_size)]
    for score in own:
      cells += [
        amounts.percent(score and score.top1, 2),
        amounts.percent(score and score.top5, 2),
      ]
    terminal.add_row(table, *cells)
  terminal.show(table)
  for name in sets:
    print(described(next(score for score in scores if score.set == name)))


def described(score: Score) -> str:
  """'imagenet_a: 7,500 photos of imagenet_a/0.1.0, chosen among 200 classes'."""
  row = YARDSTICKS[score.set]
  how = (
    ', right if the answer is one of those of the photo'
    if row.labels == ANSWERS
    else ''
  )
  left_out = f', {score.unlabelled:,} without any left out' if score.unlabelled else ''
  return (
    f'{score.set}: {score.num_examples:,} photos of {score.data}, answers chosen among '
    f'{score.answers:,} classes{how}{left_out}'
  )

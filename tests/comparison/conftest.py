"""Folders that look like finished runs: what a comparison reads, and no more."""

import json

import pytest

from mobilenet.runs import run_data
from mobilenet.tasks.classification import classes
from mobilenet.training import workdir

NAMES = ('ash', '=birch')  # one that a spreadsheet would compute
PHOTOS = 40


@pytest.fixture
def finish(tmp_path):
  """(name, wrong): a folder of a run that errs on the photos of these numbers."""

  def make(
    name,
    wrong=(),
    *,
    photos=PHOTOS,
    train=('t/1.jpg',),
    names=NAMES,
    sizes=None,
    root='',
    **config,
  ):
    folder = tmp_path / name
    model = {'name': 'mobilenet_v1', 'width': 0.5, 'trained': 'all'}
    whole = {'model': model, 'init': '', 'resolution': 64} | config
    workdir.write_config(folder, whole)
    workdir.write_classes(folder, names)
    examples = tuple(f'-{n}.jpg' for n in range(photos))
    parts = (
      run_data.Part('train', len(train), tuple(train), sizes),
      run_data.Part('val', photos, examples),
    )
    run_data.write(folder, run_data.RunData(f'/photos of {name}', *parts))
    labels = [n % 2 for n in range(photos)]
    predictions = [1 - y if n in wrong else y for n, y in enumerate(labels)]
    classes.write_predictions(
      folder / 'report' / 'predictions.csv',
      [root + example for example in examples],
      labels,
      predictions,
      [0.9] * photos,
      class_names=names,
    )
    result = {'epochs': 3.0, 'train_seconds': 65.0, 'parameters': 10, 'config': name}
    result |= {'multiply_adds': 1_000_000 * len(name)}
    (folder / workdir.RESULT_FILE).write_text(json.dumps(result))
    return folder

  return make

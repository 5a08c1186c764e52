"""Examples without a label: predicted, measured by nothing, and not trained on."""

import csv
import math
import types

import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.tasks import Evaluated
from mobilenet.tasks.classification import Classification, pages
from mobilenet.training.errors import TrainingError
from mobilenet.training.evaluation import Evaluation

NAMES = ('ash', 'birch', 'cedar')
TASK = Classification()


class Examples:
  """Of a report: dark pictures."""

  def describe(self, index):
    return f'{index}.jpg'

  def pictures(self, indexes):
    return ((int(index), np.zeros((8, 8, 3), np.uint8)) for index in indexes)


def report(folder, labels):
  """What `write_report` returns, and the rows of predictions.csv."""
  probabilities = np.float32([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
  kept = {
    'index': np.arange(3),
    'label': np.array(labels),
    'prediction': probabilities.argmax(1),
    'probabilities': probabilities,
  }
  count = int((kept['label'] >= 0).sum())
  evaluation = Evaluation({}, count, 0, 3 - count, kept)
  evaluated = Evaluated(folder, evaluation, NAMES, Examples(), num_examples=3)
  details = pages.write_report(evaluated).numbers
  with open(folder / 'predictions.csv', newline='') as file:
    return details, list(csv.DictReader(file))


def test_without_labels_the_predictions_are_written_alone(tmp_path, capsys):
  details, rows = report(tmp_path, [-1, -1, -1])
  assert details == {}
  assert rows[1] == {
    'example': '1.jpg',
    'label': '',
    'prediction': 'birch',
    'correct': '',
    'probability': '0.800000',
  }
  assert [path.name for path in tmp_path.iterdir()] == ['predictions.csv']
  assert capsys.readouterr().out == (
    'note: none of these 3 examples has a label, so nothing can be measured; what the '
    f'network says of all: {tmp_path / "predictions.csv"}\n'
  )


def test_some_labels_are_measured(tmp_path, capsys):
  details, rows = report(tmp_path, [0, -1, 0])
  assert details == {'balanced_accuracy': 50.0}
  assert [(row['label'], row['correct']) for row in rows] == [
    ('ash', '1'),
    ('', ''),
    ('ash', '0'),
  ]
  assert capsys.readouterr().out.startswith(
    'note: 1 of these 3 examples have no label and count in no number; what'
  )
  assert '"num_examples": 2' in (tmp_path / 'classes.json').read_text()


def test_all_labels_need_no_word(tmp_path, capsys):
  report(tmp_path, [0, 1, 2])
  assert 'note' not in capsys.readouterr().out


def test_sums_are_of_what_has_a_label():
  logits = jnp.float32([[9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]])
  batch = {'label': jnp.array([0, -1, 1, 0]), 'mask': jnp.float32([1, 1, 1, 0])}
  sums = TASK.sums(logits, batch)
  assert {name: float(sums[name]) for name in ('top1', 'top5', 'count')} == {
    'top1': 1,
    'top5': 2,
    'count': 2,
  }
  metrics = TASK.metrics(sums)
  assert metrics['top1'] == 50
  np.testing.assert_allclose(metrics['loss'], 4.5, rtol=1e-3)


def test_the_metrics_of_nothing_are_not_zero():
  logits = jnp.zeros((2, 3))
  batch = {'label': jnp.array([-1, -1]), 'mask': jnp.ones(2)}
  assert all(math.isnan(v) for v in TASK.metrics(TASK.sums(logits, batch)).values())


def test_a_split_without_labels_is_not_trained_on():
  source = types.SimpleNamespace(
    name='hidden', split='train+test', unlabelled=('test',)
  )
  with pytest.raises(TrainingError) as error:
    TASK.check_training(source, '--config.data.train_split')
  assert str(error.value) == (
    'test of hidden has no labels (-1), which training and its evaluation need: choose '
    'another split than train+test: --config.data.train_split='
  )
  source.unlabelled = ()
  TASK.check_training(source, '--config.data.train_split')

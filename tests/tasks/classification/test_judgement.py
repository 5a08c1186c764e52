"""Every rule speaks on numbers that were made for it, and is silent otherwise."""

import pathlib

import numpy as np
import pytest

from mobilenet.tasks import Evaluated
from mobilenet.tasks.classification import classes, decision, judgement
from mobilenet.training.evaluation import Evaluation


class Examples:
  def describe(self, index):
    return f'photo{index}.jpg'


def facts(matrix, *, confidence=None, decided=None, left_out=0, **known):
  """Of a confusion matrix; `left_out` photos could not be read."""
  matrix = np.array(matrix)
  cells = np.argwhere(matrix).repeat(matrix[matrix > 0], axis=0)
  labels, predicted = cells.T
  names = [f'class {n}' for n in range(len(matrix))]
  rows, overall = classes.per_class(labels, predicted, None, names)
  if confidence is None:
    confidence = overall['accuracy']
  kept = {'index': np.arange(len(labels))}
  evaluated = Evaluated(
    pathlib.Path('report'),
    Evaluation({}, len(labels), left_out, 0, kept),
    tuple(names),
    Examples(),
    num_examples=len(labels) + left_out,
    **known,
  )
  return judgement.Facts(
    evaluated=evaluated,
    rows=rows,
    overall=overall,
    matrix=matrix,
    names=names,
    confidence=np.full(len(labels), confidence),
    decided=decided,
  )


GOOD = [[970, 30], [20, 980]]


def test_good_numbers_raise_no_warning():
  found = judgement.judge(facts(GOOD))
  assert [line.kind for line in found] == ['note', 'good']
  assert '1,950 of 2,000' in found[0].said


@pytest.mark.parametrize(
  ('rule', 'given', 'expected'),
  [
    (judgement.few_photos, {'matrix': [[20, 3], [2, 25]]}, '50 evaluation photos are'),
    (judgement.missed_classes, {'matrix': [[900, 0], [72, 28]]}, 'class 1 (28.0'),
    (judgement.small_classes_hidden, {'matrix': [[900, 0], [72, 28]]}, '64.0'),
    (judgement.guessing, {'matrix': [[950, 0], [50, 0]]}, 'every photo class 0'),
    (judgement.not_evaluated, {'matrix': [[500, 0, 0], [0, 90, 0], [0, 0, 0]]},
     'Of one class no photo was evaluated: class 2.'),
    (
      judgement.never_trained,
      {'matrix': GOOD, 'counts': {'training': {'class 0': 9, 'class 1': 0}}},
      'Of one class no photo was trained on: class 1.',
    ),
    (judgement.few_of_a_class, {'matrix': [[500, 0], [0, 9]]}, 'class 1 (9)'),
    (judgement.overconfident, {'matrix': [[970, 30], [500, 500]], 'confidence': 0.99},
     'claims 99.0'),
    (judgement.unreadable, {'matrix': GOOD, 'left_out': 2}, 'photo2000.jpg'),
    (judgement.same_split, {'matrix': GOOD, 'chose': True}, 'somewhat too good'),
    (judgement.trained_on, {'matrix': GOOD, 'trained_on': 40}, '40 of the 2,000'),
    (judgement.no_decision, {'matrix': GOOD, 'decided': 'too few'}, 'too few'),
    (
      judgement.by_heart,
      {
        'matrix': [[80, 20], [20, 80]],
        'history': [{'kind': 'train', 'step': 1, 'top1': 99.0}],
      },
      'learned much by heart',
    ),
  ],
)  # fmt: skip
def test_a_rule_speaks_where_it_must(rule, given, expected):
  matrix = given.pop('matrix')
  said = rule(facts(matrix, **given)).said.replace('\N{NO-BREAK SPACE}', ' ')
  assert expected in said
  assert rule(facts(GOOD)) is None


def test_a_class_without_photos_is_not_called_one_with_few():
  given = facts([[500, 0], [0, 0]])
  assert judgement.few_of_a_class(given) is None
  assert 'class 1' in judgement.not_evaluated(given).said
  assert 'warning' in [line.kind for line in judgement.judge(given)]


def test_the_advised_number_of_photos_is_enough():
  from mobilenet.tasks.classification import intervals

  number = judgement._enough(facts([[20, 3], [2, 25]]))
  assert np.ptp(intervals.wilson(0.9 * number, number)) <= 0.1
  assert np.ptp(intervals.wilson(0.9 * (number - 10), number - 10)) > 0.1


def test_every_rule_is_in_the_table_once():
  assert len(set(judgement.RULES)) == len(judgement.RULES) == 14


def test_a_temperature_is_named_where_there_is_one():
  kept = decision.Decision(2.0, 0.5, '', None, 'val', 2000, 7)
  given = facts([[970, 30], [500, 500]], confidence=0.99, decided=kept)
  assert 'corrects that by a temperature' in judgement.overconfident(given).said

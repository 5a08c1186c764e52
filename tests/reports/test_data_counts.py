"""Counts of each class and what is said of them."""

import types

import pytest
import rich.console

from mobilenet.reports import data_counts
from mobilenet.reports.data_counts import Counts


def source(labels, names=('a', 'b', 'c'), boxes=None, marks=('boxes',)):
  return types.SimpleNamespace(
    labels=labels, class_names=names, class_counts=boxes, marks=marks if boxes else ()
  )


def shown(counts):
  console = rich.console.Console(record=True, width=200, file=None)
  with console.capture() as captured:
    data_counts.show(counts, console)
  return captured.get()


def test_counts_are_in_the_order_of_the_labels():
  counts = data_counts.per_class(source((0, 0, 1)), source((1, 1)))
  assert counts == {'a': Counts(2, 0), 'b': Counts(1, 2), 'c': Counts(0, 0)}
  assert data_counts.per_class(source(None), source((1,))) == {}
  boxed = source(None, boxes=(4, 0, 2)), source(None, boxes=(1, 3, 0))
  counts = data_counts.per_class(*boxed)
  assert counts == {'a': Counts(4, 1), 'b': Counts(0, 3), 'c': Counts(2, 0)}
  assert data_counts.noun(boxed[0]) == 'boxes'
  tagged = source(None, boxes=(4, 0, 2), marks=('tags',))
  assert data_counts.noun(tagged) == 'images'


def test_few_classes_have_a_row_each(capsys):
  data_counts.show({'a': Counts(1200, 30), '[red]': Counts(7, 2)})
  out = capsys.readouterr().out
  assert '1,200' in out
  assert '[red]' in out


def test_many_classes_are_summed_up(capsys):
  counts = {f'c{n:02d}': Counts(n + 1, n) for n in range(31)}
  data_counts.show(counts)
  rows = [line.split() for line in capsys.readouterr().out.splitlines()]
  assert ['smallest:', 'c00', '1', '0'] in rows
  assert ['median', 'of', '31', 'classes', '16', '15'] in rows
  assert ['largest:', 'c30', '31', '30'] in rows
  assert ['classes', 'below', '10', '9', '10'] in rows


@pytest.mark.parametrize(
  ('train', 'line'),
  [
    ((50, 10), None),
    ((51, 10), 'b has 51 images for training, 5 times the 10 of a'),
    ((51, 0), 'b has 51 images for training, and the 0 of a'),
  ],
)
def test_imbalance(train, line):
  counts = {'a': Counts(train[1], 1), 'b': Counts(train[0], 1)}
  said = data_counts.imbalance(counts)
  assert said == (line and f'the classes are unbalanced: {line}')


def test_classes_that_are_missing_from_a_split_are_named():
  counts = {'a': Counts(3, 1), 'b': Counts(15, 0), 'c': Counts(0, 2), 'd': Counts(4, 0)}
  training, evaluation = data_counts.on_one_side(counts)
  assert training.startswith('1 class has no images for training (c): the network')
  assert evaluation.startswith(
    '2 classes have no images for evaluation (b, d): nothing'
  )
  assert data_counts.on_one_side({'a': Counts(1, 1)}) == []
  many = {f'c{n}': Counts(1, 0) for n in range(6)}
  (line,) = data_counts.on_one_side(many)
  assert '(c0, c1, c2, c3, c4, ...)' in line

"""Per-class numbers against counts made by hand."""

import csv
import io
import json
import re

import numpy as np
import pytest
import rich.console

from mobilenet.tasks.classification import classes

# Three classes and a fourth that never occurs and is never predicted.
#            a a a a b b b c c c
LABELS = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
PREDICTIONS = [0, 0, 0, 1, 1, 1, 0, 2, 1, 1]
NAMES = ('a', 'b', 'c', 'd')


def test_confusion_matrix_has_true_rows():
  matrix = classes.confusion_matrix(LABELS, PREDICTIONS, 4)
  assert matrix.tolist() == [[3, 1, 0, 0], [1, 2, 0, 0], [0, 2, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize('bad', [-1, 4])
def test_numbers_that_are_no_class_are_refused(bad):
  with pytest.raises(ValueError, match=f'label {bad} is not one of 4 classes'):
    classes.confusion_matrix([0, bad], [0, 0], 4)
  with pytest.raises(ValueError, match=f'prediction {bad} is not one'):
    classes.per_class([0, 0], [0, bad], None, NAMES)


def test_rows_against_hand_counts():
  rows, _ = classes.per_class(LABELS, PREDICTIONS, None, NAMES)
  a, b, c, d = rows
  assert (a['support'], a['precision'], a['recall']) == (4, 3 / 4, 3 / 4)
  assert (b['support'], b['precision'], b['recall']) == (3, 2 / 5, 2 / 3)
  assert (c['support'], c['precision'], c['recall']) == (3, 1, 1 / 3)
  assert [row['f1'] for row in rows[:3]] == pytest.approx([3 / 4, 1 / 2, 1 / 2])
  assert {d[name] for name in ('precision', 'recall', 'f1', 'f1_low')} == {None}
  assert (d['name'], d['support'], d['specificity']) == ('d', 0, 1)


def test_averages_leave_out_classes_without_examples():
  _, overall = classes.per_class(LABELS, PREDICTIONS, None, NAMES)
  assert overall['accuracy'] == pytest.approx(0.6)
  assert overall['num_examples'] == 10
  recall = (3 / 4 + 2 / 3 + 1 / 3) / 3
  assert overall['macro_recall'] == pytest.approx(recall)
  assert overall['balanced_accuracy'] == pytest.approx(recall)
  assert overall['macro_precision'] == pytest.approx((3 / 4 + 2 / 5 + 1) / 3)
  assert overall['weighted_precision'] == pytest.approx((3 + 1.2 + 3) / 10)
  assert overall['weighted_recall'] == pytest.approx(0.6)
  assert overall['weighted_f1'] == pytest.approx((3 + 1.5 + 1.5) / 10)
  assert 'sensitivity' not in overall


def test_class_predicted_but_never_true_has_precision_zero():
  rows, _ = classes.per_class([0, 0], [0, 1], None, ('a', 'b', 'c'))
  assert rows[1]['precision'] == 0
  assert rows[1]['recall'] is None


def test_class_never_predicted_has_precision_zero_and_counts():
  rows, overall = classes.per_class([0, 0, 1], [0, 0, 0], None, ('a', 'b'))
  assert (rows[1]['precision'], rows[1]['recall'], rows[1]['f1']) == (0, 0, 0)
  assert overall['macro_recall'] == 0.5


def test_two_classes_have_sensitivity_and_specificity():
  labels, predictions = [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]
  positive = np.array([0.1, 0.2, 0.3, 0.6, 0.9, 0.25])
  probabilities = np.stack([1 - positive, positive], axis=1)
  _, overall = classes.per_class(
    labels, predictions, probabilities, ('healthy', 'pneumonia')
  )
  assert overall['positive'] == 'pneumonia'
  assert overall['sensitivity'] == pytest.approx(1 / 2)
  assert overall['specificity'] == pytest.approx(3 / 4)
  # Of 8 pairs (ill, healthy) the ill one scores higher in 4 + 2.
  assert overall['roc_auc'] == pytest.approx(6 / 8)


def test_one_class_alone_has_no_roc_auc():
  _, overall = classes.per_class([1, 1], [1, 0], np.full((2, 2), 0.5), ('a', 'b'))
  assert overall['roc_auc'] is None
  assert overall['specificity'] is None


def test_calibration_error_by_hand():
  # Ten predictions at .95, eight right; ten at .55, five right: gaps .15 and .05.
  confidence = np.repeat([0.95, 0.55], 10)
  probabilities = np.stack([confidence, 1 - confidence], axis=1)
  labels = np.array([0] * 8 + [1] * 2 + [0] * 5 + [1] * 5)
  _, overall = classes.per_class(labels, np.zeros(20, int), probabilities, ('a', 'b'))
  assert overall['calibration_error'] == pytest.approx(0.1)


def test_no_examples_are_refused():
  with pytest.raises(ValueError, match='at least one example'):
    classes.per_class([], [], None, NAMES)


def test_csv_and_averages_beside_it(tmp_path):
  rows, overall = classes.per_class(LABELS, PREDICTIONS, None, NAMES)
  path = classes.write_per_class(tmp_path / 'per_class.csv', rows, overall)
  with open(path, newline='') as file:
    found = list(csv.DictReader(file))
  wanted = {
    'class': 'b',
    'support': '3',
    'precision': '0.400000',
    'recall': '0.666667',
    'f1': '0.500000',
    'specificity': '0.571429',
    'recall_low': '0.207660',
    'recall_high': '0.938508',
  }
  assert found[1] == found[1] | wanted
  assert found[3]['recall'] == ''
  assert json.loads((tmp_path / 'per_class.json').read_text()) == overall


def printed(rows, overall, **kwargs):
  file = io.StringIO()
  console = rich.console.Console(file=file, width=60)
  classes.print_per_class(rows, overall, console=console, **kwargs)
  return file.getvalue()


def test_table_of_few_classes_is_in_their_order():
  rows, overall = classes.per_class(LABELS, PREDICTIONS, None, ('z[b]', 'b', 'c', 'd'))
  text = printed(rows, overall)
  assert text.index('z[b]') < text.index('\n  b ')
  assert 'weighted average' in text
  assert text.splitlines()[-1] == 'accuracy 60.00 %, balanced accuracy 58.33 %'


def test_table_of_many_classes_has_the_worst_first():
  labels = np.repeat(np.arange(40), 10)
  predictions = labels.copy()
  for name in range(40):  # class k has k of its 10 examples wrong, up to 9
    predictions[name * 10 : name * 10 + name % 10] = (name + 1) % 40
  names = [f'class {i:02d}' for i in range(40)]
  rows, overall = classes.per_class(labels, predictions, None, names)
  text = printed(rows, overall)
  assert 'The 30 classes of 40 with the lowest F1' in text
  shown = [
    line.strip()[:8] for line in text.splitlines() if re.match(' +class [0-9]', line)
  ]
  f1 = {row['name']: row['f1'] for row in rows}
  assert [f1[name] for name in shown] == sorted(f1.values())[:30]


def test_line_below_names_the_positive_class():
  rows, overall = classes.per_class([0, 1], [0, 1], None, ('healthy', 'ill'))
  assert printed(rows, overall).splitlines()[-1] == (
    'accuracy 100.00 %, balanced accuracy 100.00 %, sensitivity 100.00 % '
    '(positive: ill), specificity 100.00 %'
  )


def test_predictions_have_one_row_an_example(tmp_path):
  path = classes.write_predictions(
    tmp_path / 'predictions.csv',
    ['x, y.jpg', 'b.jpg'],
    [0, 1],
    [0, 0],
    np.float32([0.75, 0.5]),
    class_names=('cat', 'dog'),
  )
  with open(path, newline='') as file:
    assert list(csv.reader(file)) == [
      ['example', 'label', 'prediction', 'correct', 'probability'],
      ['x, y.jpg', 'cat', 'cat', '1', '0.750000'],
      ['b.jpg', 'dog', 'cat', '0', '0.500000'],
    ]


def test_predictions_of_unequal_length_are_refused(tmp_path):
  with pytest.raises(ValueError, match='zip'):
    classes.write_predictions(tmp_path / 'p.csv', ['a'], [0, 1], [0, 0], [1.0, 1.0])
  assert list(tmp_path.iterdir()) == []


def test_worst_mistakes_are_the_most_certain():
  found = classes.worst_mistakes(
    [0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [0.99, 0.5, 0.9, 1.0, 0.7], 2
  )
  assert found.tolist() == [2, 4]

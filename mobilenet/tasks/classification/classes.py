"""Scores of each class, and the prediction of each example."""

import json
import os
import pathlib

import numpy as np
import rich.console

from mobilenet.reports import amounts, csv_file, terminal
from mobilenet.tasks.classification import calibration, intervals, thresholds
from mobilenet.training import files, logs

_COLUMNS = ('name', 'support', 'precision', 'recall', 'f1')
_SHARES = ('recall', 'precision', 'specificity', 'f1')  # those with intervals
_MORE_COLUMNS = (
  'specificity',
  *(f'{share}_{end}' for share in _SHARES for end in ('low', 'high')),
)


def confusion_matrix(labels, predictions, num_classes: int) -> np.ndarray:
  """Counts, int64 (num_classes, num_classes): rows are true, columns predicted.

  Raises:
    ValueError: a label or prediction is not in [0, num_classes).
  """
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  for what, values in (('label', labels), ('prediction', predictions)):
    wrong = values[(values < 0) | (values >= num_classes)]
    if wrong.size:
      raise ValueError(f'{what} {wrong[0]} is not one of {num_classes} classes')
  flat = labels.astype(np.int64) * num_classes + predictions
  counts = np.bincount(flat, minlength=num_classes**2)
  return counts.reshape(num_classes, num_classes)


def per_class(
  labels, predictions, probabilities, class_names, *, positive: int = 1
) -> tuple[list[dict], dict]:
  """Precision, recall and F1 of every class, and their averages, with 95 % intervals.

  A class without examples has no recall (None) and is left out of the averages, so
  'balanced_accuracy' is the mean recall of the classes that occur. A class that is
  never predicted has precision 0.

  Args:
    labels: int (N,), true classes.
    predictions: int (N,), predicted classes.
    probabilities: float (N, K), or None if there are none.
    class_names: K names.
    positive: place of the positive class, if there are two.

  Returns:
    (rows, overall). A row has 'name', 'support' (examples), 'precision', 'recall',
    'f1', 'specificity', and of these four '<name>_low' and '<name>_high', the ends of
    95 % intervals. Overall has 'num_examples', 'accuracy' and its ends (Wilson's
    interval), 'balanced_accuracy' and its ends (`intervals.mean_share`), and
    '<macro|weighted>_<precision|recall|f1>'; with probabilities also
    'calibration_error' (expected calibration error, 15 bins); for two classes
    'positive' (a name), 'sensitivity' and 'specificity', and with probabilities
    'roc_auc'. All numbers are fractions; None where undefined.

  Raises:
    ValueError: no examples, or a label or prediction that is not a class.
  """
  labels, predictions = np.asarray(labels), np.asarray(predictions)
  if not labels.size:
    raise ValueError('a per-class report needs at least one example')
  matrix = confusion_matrix(labels, predictions, len(class_names))
  rows = []
  for name, right, support, predicted, more in zip(
    class_names,
    np.diag(matrix).tolist(),
    matrix.sum(axis=1).tolist(),
    matrix.sum(axis=0).tolist(),
    _intervals(matrix),
    strict=True,
  ):
    row = {'name': str(name), 'support': support, 'precision': None}
    if support or predicted:
      row['precision'] = right / max(predicted, 1)
    row['recall'] = right / support if support else None
    row['f1'] = 2 * right / (support + predicted) if support else None
    rows.append(row | more)

  occurring = [row for row in rows if row['support']]
  support = np.array([row['support'] for row in occurring])
  overall = {
    'num_examples': int(labels.size),
    'accuracy': float((labels == predictions).mean()),
  }
  low, high = intervals.wilson(np.trace(matrix), labels.size)
  overall['accuracy_low'], overall['accuracy_high'] = float(low), float(high)
  for score in ('precision', 'recall', 'f1'):
    values = np.array([row[score] for row in occurring])
    overall[f'macro_{score}'] = float(values.mean())
    overall[f'weighted_{score}'] = float(np.average(values, weights=support))
  overall['balanced_accuracy'] = overall['macro_recall']
  ends = intervals.mean_share(np.diag(matrix), matrix.sum(axis=1))
  overall['balanced_accuracy_low'], overall['balanced_accuracy_high'] = ends
  if probabilities is not None:
    probabilities = np.asarray(probabilities, np.float64)
    overall['calibration_error'] = calibration.error(
      probabilities[np.arange(labels.size), predictions], labels == predictions
    )
  if len(class_names) == 2:
    overall['positive'] = rows[positive]['name']
    overall['sensitivity'] = rows[positive]['recall']
    overall['specificity'] = rows[1 - positive]['recall']
    if probabilities is not None:
      both = len(occurring) == 2 and np.isfinite(probabilities).all()
      overall['roc_auc'] = (
        thresholds.area(labels == positive, probabilities[:, positive])
        if both
        else None
      )
  return rows, overall


def _intervals(matrix: np.ndarray) -> list[dict]:
  """Of each class specificity, and the ends of the intervals of the four shares."""
  right, support, predicted = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
  others = matrix.sum() - support
  passed = others - (predicted - right)
  with np.errstate(invalid='ignore', divide='ignore'):
    numbers = {'specificity': passed / others}
  ends = {
    'recall': intervals.wilson(right, support),
    'precision': intervals.wilson(right, predicted),
    'specificity': intervals.wilson(passed, others),
    'f1': intervals.f1(right, support, predicted),
  }
  for name, (low, high) in ends.items():
    numbers |= {f'{name}_low': low, f'{name}_high': high}
  # A class without examples has no F1, whatever was taken for it.
  for name in ('f1_low', 'f1_high'):
    numbers[name] = np.where(support > 0, numbers[name], np.nan)
  return [
    {
      name: None if np.isnan(values[place]) else float(values[place])
      for name, values in numbers.items()
    }
    for place in range(len(matrix))
  ]


def write_per_class(
  path: str | os.PathLike, rows: list[dict], overall: dict
) -> pathlib.Path:
  """Writes the rows as CSV, and the averages next to it with the suffix .json.

  Raises:
    TrainingError: a file cannot be written.
  """
  path = pathlib.Path(path)
  text = json.dumps(logs.to_json(overall), indent=2, ensure_ascii=False)
  files.replace_file(path.with_suffix('.json'), (text + '\n').encode())
  columns = (*_COLUMNS[1:], *_MORE_COLUMNS)
  numbers = [[_six_decimals(row[column]) for column in columns] for row in rows]
  table = [[row['name'], *cells] for row, cells in zip(rows, numbers, strict=True)]
  return csv_file.write(path, ('class', *columns), table)


def print_per_class(
  rows: list[dict],
  overall: dict,
  *,
  limit: int = 30,
  console: rich.console.Console | None = None,
) -> None:
  """Prints the rows and averages; beyond `limit` classes only those of lowest F1."""
  title, shown = 'Classes', rows
  if len(rows) > limit:
    occurring = [row for row in rows if row['support']]
    shown = sorted(occurring, key=lambda row: row['f1'])[:limit]
    title = f'The {len(shown)} classes of {len(rows)} with the lowest F1'
  columns = [('class', 'left'), *((column, 'right') for column in _COLUMNS[1:])]
  table = terminal.make_table(title, columns)
  for row in shown:
    name = terminal.shorten(row['name'], 40)
    terminal.add_row(table, name, f'{row["support"]:,}', *_scores(row))
  table.add_section()
  for average in ('macro', 'weighted'):
    means = {score: overall[f'{average}_{score}'] for score in _COLUMNS[2:]}
    terminal.add_row(
      table, f'{average} average', f'{overall["num_examples"]:,}', *_scores(means)
    )
  terminal.show(table, console)
  words = [
    f'{name.replace("_", " ")} {amounts.share(overall[name], 2)}'
    for name in ('accuracy', 'balanced_accuracy', 'sensitivity', 'specificity')
    if name in overall
  ]
  if 'positive' in overall:
    words[2] += f' (positive: {overall["positive"]})'
  for name, label in (('roc_auc', 'ROC AUC'), ('calibration_error', None)):
    if overall.get(name) is not None:
      words.append(f'{label or name.replace("_", " ")} {overall[name]:.4f}')
  console = console or rich.console.Console()
  console.print(', '.join(words), markup=False, highlight=False, soft_wrap=True)


def _scores(row: dict) -> list[str]:
  return [amounts.share(row[score]) for score in _COLUMNS[2:]]


def write_predictions(
  path: str | os.PathLike,
  names,
  labels,
  predictions,
  probability,
  *,
  class_names=None,
) -> pathlib.Path:
  """Writes one CSV row per example: name, label, prediction, correct, probability.

  Args:
    path: of the CSV.
    names: N names of examples (file names, for example).
    labels: int (N,); -1 where there is none, and then nothing is written of it.
    predictions: int (N,).
    probability: float (N,), of the predicted class.
    class_names: K names to write in place of class numbers.

  Raises:
    TrainingError: the file cannot be written.
    ValueError: the columns differ in length.
  """
  table = []
  for name, label, prediction, p in zip(
    names, labels, predictions, probability, strict=True
  ):
    shown = [int(label), int(prediction)]
    if class_names is not None:
      shown = [class_names[index] if index >= 0 else '' for index in shown]
    correct = int(label == prediction)
    if label < 0:
      shown[0] = correct = ''
    table.append([name, *shown, correct, f'{float(p):.6f}'])
  columns = ('example', 'label', 'prediction', 'correct', 'probability')
  return csv_file.write(path, columns, table)


def worst_mistakes(labels, predictions, probability, count: int) -> np.ndarray:
  """Positions of up to `count` wrong predictions, the most certain first; int (n,)."""
  wrong = np.flatnonzero(np.asarray(labels) != np.asarray(predictions))
  order = np.argsort(-np.asarray(probability)[wrong], kind='stable')
  return wrong[order[:count]]


def _six_decimals(value: float | int | None) -> str | int | None:
  return f'{value:.6f}' if isinstance(value, float) else value

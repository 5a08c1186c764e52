"""Figures on probabilities: reliability, ROC and precision-recall."""

from collections.abc import Mapping, Sequence

import numpy as np

from mobilenet.reports import canvas
from mobilenet.tasks.classification.calibration import Bin
from mobilenet.tasks.classification.thresholds import Row

_SIDE = (4.2, 3.9)  # inches; readable on a phone
_SHAPES = ('o', 's', '^', 'D')
_INK, _MARK, _SOFT = '#1b6e53', '#c1611f', '#9aa5b1'


def draw_reliability(before: Sequence[Bin], after: Sequence[Bin] | None):
  """A Figure of accuracy over confidence, by bins; large dots hold many photos.

  Args:
    before: of the network's own probabilities.
    after: at the temperature; None leaves them out.
  """
  figure, axes = _square('What it is sure of, and how often it is right')
  axes.plot([0, 100], [0, 100], color=_SOFT, linewidth=1, linestyle='--')
  sets = [(before, _MARK, 'as trained')]
  if after is not None:
    sets.append((after, _INK, 'with temperature'))
  for found, colour, label in sets:
    counts = np.array([each.count for each in found], float)
    x = [100 * each.confidence for each in found]
    y = [100 * each.accuracy for each in found]
    axes.plot(x, y, color=colour, linewidth=1, alpha=0.6)
    axes.scatter(
      x, y, s=12 + 160 * counts / counts.sum(), color=colour, alpha=0.85, label=label
    )
  axes.legend(fontsize=9, frameon=False, loc='upper left')
  axes.set_xlabel('Confidence (%)', fontsize=9.5)
  axes.set_ylabel('Right (%)', fontsize=9.5)
  return figure


def draw_roc(curve: Mapping[str, np.ndarray], marked: Sequence[Row], area: float):
  """A Figure of sensitivity over the share of false alarms.

  Args:
    curve: of `thresholds.curve`.
    marked: rows that are shown on it.
    area: below it, a fraction.
  """
  figure, axes = _square(f'ROC, area {area:.3f}')
  axes.plot([0, 100], [0, 100], color=_SOFT, linewidth=1, linestyle='--')
  x = np.concatenate([[0], 100 * (1 - curve['specificity'])])
  y = np.concatenate([[0], 100 * curve['sensitivity']])
  axes.plot(x, y, color=_INK, linewidth=1.8, drawstyle='steps-post')
  _mark(
    axes,
    [(100 * (1 - r.specificity), 100 * r.sensitivity, r) for r in marked],
    'lower right',
  )
  axes.set_xlabel('False alarms: 100 - specificity (%)', fontsize=9.5)
  axes.set_ylabel('Found: sensitivity (%)', fontsize=9.5)
  return figure


def draw_precision_recall(
  curve: Mapping[str, np.ndarray], marked: Sequence[Row], share: float
):
  """A Figure of precision over sensitivity (recall).

  Args:
    curve, marked: as in `draw_roc`.
    share: of all photos that are positive: the precision of flagging at random.
  """
  figure, axes = _square('Precision and recall')
  axes.axhline(100 * share, color=_SOFT, linewidth=1, linestyle='--')
  axes.plot(
    100 * curve['sensitivity'], 100 * curve['precision'], color=_INK, linewidth=1.8
  )
  points = [
    (100 * r.sensitivity, 100 * r.precision, r)
    for r in marked
    if r.precision is not None
  ]
  _mark(axes, points, 'lower left')
  axes.set_xlabel('Found: sensitivity, recall (%)', fontsize=9.5)
  axes.set_ylabel('Right among the flagged: precision (%)', fontsize=9.5)
  return figure


def _mark(axes, points, where: str) -> None:
  """Marks rows on a curve and names them in a legend: side by side they overlap."""
  for (x, y, row), shape in zip(points, _SHAPES, strict=False):
    label = f'{100 * row.threshold:.3g} %: {row.mark.split("; ")[0]}'
    axes.plot(x, y, shape, color=_MARK, markersize=7, label=label)
  axes.legend(fontsize=8, frameon=False, loc=where)


def _square(title: str):
  figure = canvas.new_figure(*_SIDE)
  axes = figure.subplots()
  axes.set_title(title, loc='left', fontsize=10)
  axes.set(xlim=(-2, 102), ylim=(-2, 102))
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(linewidth=0.4, color='#d8dade')
  axes.set_axisbelow(True)
  axes.tick_params(labelsize=8.5)
  return figure, axes

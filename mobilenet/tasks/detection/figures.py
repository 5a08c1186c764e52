"""The figure of a detector's precision and recall."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.reports import canvas, colours
from mobilenet.tasks.detection.average_precision import RECALLS

MOST = 10  # curves with a name; the others are grey


def precision_recall(
  precision: np.ndarray, rows: Sequence[Mapping[str, Any]], names: Sequence[str]
):
  """A Figure of precision over recall at IoU 0.5, a curve for each class.

  Args:
    precision: (10, 101, K), see `average_precision`.
    rows: of the classes, with 'AP50' and 'boxes'. names: of the classes.
  """
  figure = canvas.new_figure(4.6, 4.0)
  axes = figure.subplots()
  known = [n for n, row in enumerate(rows) if row['AP50'] is not None]
  named = sorted(known, key=lambda n: -rows[n]['boxes'])[:MOST]
  for n in known:
    if n not in named:
      axes.plot(100 * RECALLS, 100 * precision[0, :, n], color='#d3d7dc', linewidth=0.8)
  for n in named:
    axes.plot(
      100 * RECALLS,
      100 * precision[0, :, n],
      color=tuple(part / 255 for part in colours.of_class(n)),
      linewidth=1.8,
      label=f'{names[n]} ({rows[n]["AP50"]:.1f})',
    )
  axes.set(xlim=(-2, 102), ylim=(-2, 102))
  axes.set_title('Precision and recall at IoU 0.5 (AP50)', loc='left', fontsize=10)
  axes.set_xlabel('Found: recall (%)', fontsize=9.5)
  axes.set_ylabel('Right among the detections: precision (%)', fontsize=9.5)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(linewidth=0.4, color='#d8dade')
  axes.tick_params(labelsize=8.5)
  if named:
    axes.legend(fontsize=8, frameon=False, loc='lower left')
  return figure

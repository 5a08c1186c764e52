"""The figure of the tags' precision and recall."""

from collections.abc import Mapping, Sequence

import numpy as np

from mobilenet.reports import canvas, colours
from mobilenet.tasks.tags.scoring import Score

MOST = 10  # curves with a name; the others are grey


def precision_recall(
  curves: Mapping[int, Mapping[str, np.ndarray]],
  scores: Sequence[Score],
  names: Sequence[str],
):
  """A Figure of precision over recall, a curve for each tag, a dot at its threshold.

  Args:
    curves: place of a tag -> its `scoring.curve`.
    scores, names: of all tags.
  """
  figure = canvas.new_figure(4.6, 4.0)
  axes = figure.subplots()
  named = sorted(curves, key=lambda n: -scores[n].positives)[:MOST]
  for n in curves:
    if n not in named:
      axes.plot(*_points(curves[n]), color='#d3d7dc', linewidth=0.8)
  for n in named:
    colour = tuple(part / 255 for part in colours.of_class(n))
    label = f'{names[n]} ({100 * scores[n].average_precision:.1f})'
    axes.plot(*_points(curves[n]), color=colour, linewidth=1.8, label=label)
    if scores[n].precision is not None:
      place = 100 * scores[n].recall, 100 * scores[n].precision
      axes.plot(*place, 'o', color=colour, markersize=5)
  axes.set(xlim=(-2, 102), ylim=(-2, 102))
  axes.set_title('Precision and recall (average precision)', loc='left', fontsize=10)
  axes.set_xlabel('Found, of the photos with the tag: recall (%)', fontsize=9.5)
  axes.set_ylabel('Right, of those said to have it: precision (%)', fontsize=9.5)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(linewidth=0.4, color='#d8dade')
  axes.tick_params(labelsize=8.5)
  if named:
    axes.legend(fontsize=8, frameon=False, loc='lower left')
  return figure


def _points(curve: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
  return 100 * curve['recall'], 100 * curve['precision']

"""The report of an embedder."""

import math

from mobilenet.reports import page
from mobilenet.tasks import Evaluated, Written


def write_report(evaluated: Evaluated) -> Written:
  """How many images were compared, and how often the nearest was of the same class."""
  recall = evaluated.evaluation.metrics['recall_at_1']
  shown = '–' if math.isnan(recall) else f'{recall:.1f}'
  headline = [
    (shown, 'images whose nearest is of the same class, %'),
    (f'{evaluated.evaluation.count:,}', 'images'),
  ]
  return Written({}, [('In short', [page.headline(headline)])])

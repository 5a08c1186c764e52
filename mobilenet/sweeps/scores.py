"""By which number the runs of a sweep are compared: what counts for their task."""

from collections.abc import Mapping, Sequence
from typing import Any

TOP1 = 'top1'


def metric_of(rows: Sequence[Mapping[str, Any]]) -> str:
  """The name of the metric of rows or results; top-1 where none of them says.

  Runs of a sweep have one task: the first that says something speaks for all.
  """
  return next((row['metric'] for row in rows if row.get('metric')), TOP1)


def in_words(metric: str) -> str:
  """'top-1', 'mAP', 'recall at 1', 'within 200 km'; all are in percent."""
  return 'top-1' if metric == TOP1 else metric.replace('_', ' ')

"""Which of a run's weights count: the raw ones, or their averages.

Averages are usually better. In a short run they can still hold much of the beginning,
and then they are far worse. So the last evaluation decides, by the metric that counts
for the task. On a tie, or if nothing was measured, the averages count. Training,
evaluation, prediction and export all follow this rule.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

from mobilenet.training import logs

RAW, EMA = 'raw', 'ema'


def better(raw: float | None, ema: float | None) -> str:
  """RAW if it scores more than EMA, else EMA; None or NaN is not measured."""
  measured = [s for s in (raw, ema) if s is not None and not math.isnan(s)]
  return RAW if len(measured) == 2 and raw > ema else EMA


def choose(evaluations: Mapping[str, Any], metric: str) -> str:
  """The kind of weights that counts; `evaluations` are by kind."""
  if EMA not in evaluations:
    return RAW
  return better(*(evaluations[kind].metrics.get(metric) for kind in (RAW, EMA)))


def choose_at(workdir: str | os.PathLike, step: int, metric: str) -> str:
  """The same for a run that keeps averages, from its metrics up to a step."""
  scores = [
    (line.get(metric), line.get(f'ema_{metric}'))
    for line in logs.read_metrics(workdir)
    if line['kind'] == 'eval' and line['step'] <= step
  ]
  return better(*scores[-1]) if scores else EMA

"""Metrics of training steps: held until the device has work, then written and shown."""

from collections.abc import Callable
from typing import Any

import jax

from mobilenet.training import logs
from mobilenet.training.errors import TrainingError
from mobilenet.training.progress import Progress


class StepLog:
  """Writes the metrics of a step once the next step is dispatched.

  Reading a number waits for the step that computes it. Reading it one step late lets
  the device go on meanwhile.
  """

  def __init__(
    self,
    task,
    learning_rate: Callable[[int], jax.Array],
    writer: logs.Writer,
    progress: Progress,
    *,
    max_skipped_in_a_row: int,
    seconds_before: float,
    find_bad: Callable[[Any, Any], str],
  ):
    # As one program: each of its operators would be compiled by itself.
    self._task, self._learning_rate = task, jax.jit(learning_rate)
    self._writer, self._progress = writer, progress
    self._max_skipped_in_a_row = max_skipped_in_a_row
    self._seconds_before = seconds_before
    self._find_bad = find_bad
    self._held = None

  def seconds(self) -> float:
    """Of all starts of the run together."""
    return self._seconds_before + self._progress.seconds

  def hold(self, step: int, sums, skips) -> None:
    """Takes the metric sums since the last log line, as of `step`."""
    self._held = step, sums, skips

  def flush(self, state, batch) -> None:
    """Writes what is held.

    Args:
      state, batch: of the newest step, to look at if too many were skipped. Skipped
        steps leave the variables as they were, so that the newest will do.

    Raises:
      TrainingError: too many steps in a row were skipped.
    """
    if self._held is None:
      return
    (step, sums, skips), self._held = self._held, None
    sums, skips = jax.device_get((sums, skips))
    metrics = self._task.metrics(sums)
    skipped = int(skips['total'])
    # The optimizer counts the updates that were made, not the steps that were tried.
    metrics['learning_rate'] = float(self._learning_rate(step - 1 - skipped))
    metrics['skipped'] = skipped
    self._progress.update(step, metrics)
    speed = {
      'images_per_second': self._progress.images_per_second,
      'waiting_share': self._progress.waiting_share,
      'seconds': self.seconds(),
    }
    metrics |= {k: round(v, 4) for k, v in speed.items() if v is not None}
    self._writer.write(step, metrics, 'train')
    if (in_a_row := int(skips['in_a_row'])) >= self._max_skipped_in_a_row:
      raise TrainingError(
        f'step {step}: the last {in_a_row} steps had a non-finite loss or gradient, '
        f'first in {self._find_bad(state, batch)}; their updates were left out, and '
        'the last checkpoint is good: lower the learning rate, lengthen the warm-up '
        'or set optimizer.clip_norm'
      )

  def evaluated(self, step: int, evaluations) -> None:
    """Writes and shows evaluations by kind; averaged weights get the prefix 'ema_'."""
    metrics = {}
    for kind, evaluation in evaluations.items():
      prefix = '' if kind == 'raw' else f'{kind}_'
      metrics |= {prefix + name: value for name, value in evaluation.metrics.items()}
    self._progress.evaluated(step, metrics)
    self._writer.write(step, metrics, 'eval')


def seconds_before(workdir) -> float:
  """What earlier starts of a run took, by the lines that its metrics file kept."""
  lines = [line for line in logs.read_metrics(workdir) if 'seconds' in line]
  return lines[-1]['seconds'] if lines else 0.0

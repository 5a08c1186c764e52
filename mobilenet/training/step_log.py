"""The numbers of training steps: held until the device has work, then shown."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax

from mobilenet.training import logs
from mobilenet.training.errors import TrainingError
from mobilenet.training.progress import Progress


class StepLog:
  """Reads the numbers of a step once the next step is dispatched.

  Reading a number waits for the step that computes it. Reading it one step late lets
  the device go on meanwhile. Every step has counters of skipped steps to read; those
  that end a log line also have metrics.

  Args:
    task: turns sums into metrics.
    learning_rate: number of an update, from 0 -> learning rate.
    writer, progress: where metrics go.
    max_skipped_in_a_row: more than these non-finite steps end the run.
    seconds_before: the time that earlier starts of the run took.
    find_bad: (state, batch) -> where a batch's first non-finite number arises.
    unshown: names of metrics that are written but not shown.
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
    unshown: Collection[str] = (),
  ):
    # As one program: each of its operators would be compiled by itself.
    self._task, self._learning_rate = task, jax.jit(learning_rate)
    self._writer, self._progress = writer, progress
    self._max_skipped_in_a_row = max_skipped_in_a_row
    self._seconds_before = seconds_before
    self._find_bad = find_bad
    self._unshown = frozenset(unshown)
    self._held = None

  def seconds(self) -> float:
    """The time of all starts of the run together."""
    return self._seconds_before + self._progress.seconds

  def hold(self, step: int, skips, sums=None) -> None:
    """Takes the counters of `step` and, if it ends a log line, the sums since the last.

    Args:
      step: steps done.
      skips: of `step.make_train_step`.
      sums: of the task, or None.
    """
    self._held = step, skips, sums

  def flush(self, state, batch) -> None:
    """Reads what is held; writes and shows the metrics in it.

    Args:
      state, batch: of the newest step, to search if too many were skipped. Skipped
        steps leave the variables as they were, so the newest will do.

    Raises:
      TrainingError: too many steps in a row were skipped.
    """
    if self._held is None:
      return
    (step, skips, sums), self._held = self._held, None
    skips, sums = jax.device_get((skips, sums))
    if sums is not None:
      self._write(step, self._task.metrics(sums), int(skips['total']))
    if (in_a_row := int(skips['in_a_row'])) >= self._max_skipped_in_a_row:
      raise TrainingError(
        f'step {step}: the last {in_a_row} steps had a non-finite loss or gradient, '
        f'first in {self._find_bad(state, batch)}; their updates were left out, and '
        'the last checkpoint is good: lower the learning rate, lengthen the warm-up '
        'or set optimizer.clip_norm'
      )

  def evaluated(self, step: int, evaluations) -> None:
    """Writes and shows evaluations by kind; averaged weights get the prefix 'ema_'."""
    metrics, shown = {}, {}
    for kind, evaluation in evaluations.items():
      prefix = '' if kind == 'raw' else f'{kind}_'
      metrics |= _prefixed(prefix, evaluation.metrics)
      shown |= _prefixed(prefix, self._shown(evaluation.metrics))
    self._progress.evaluated(step, shown)
    self._writer.write(step, metrics, 'eval')

  def _write(self, step: int, metrics: dict[str, Any], skipped: int) -> None:
    # The optimizer counts the updates that were made, not the steps that were tried.
    metrics['learning_rate'] = float(self._learning_rate(step - 1 - skipped))
    metrics['skipped'] = skipped
    shown = self._shown(metrics)
    if not skipped:
      del shown['skipped']
    self._progress.update(step, shown)
    speed = {
      'images_per_second': self._progress.images_per_second,
      'waiting_share': self._progress.waiting_share,
      'seconds': self.seconds(),
    }
    metrics |= {k: round(v, 4) for k, v in speed.items() if v is not None}
    self._writer.write(step, metrics, 'train')

  def _shown(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in metrics.items() if k not in self._unshown}


def _prefixed(prefix: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
  return {prefix + name: value for name, value in metrics.items()}


def seconds_before(workdir) -> float:
  """The time of earlier starts of a run, from the lines in its metrics file."""
  lines = [line for line in logs.read_metrics(workdir) if 'seconds' in line]
  return lines[-1]['seconds'] if lines else 0.0

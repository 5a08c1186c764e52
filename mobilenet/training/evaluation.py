"""Exact evaluation: every example once, on any number of hosts and devices."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from mobilenet.training import memory, sharding


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """metrics: of the task. count: examples that it measured.

  unreadable: examples left out. untold: examples that were read, of which the data does
  not say what is right, so that the task could not measure them.

  predictions: if they were kept, arrays of one entry per example, in the order of the
  split: index, the batch's fields that the task names, and what it keeps.
  """

  metrics: dict[str, float]
  count: int
  unreadable: int
  untold: int = 0
  predictions: dict[str, np.ndarray] | None = None


def evaluate(
  eval_step: Callable,
  task,
  variables: dict[str, Any],
  batches: Iterator[dict[str, np.ndarray]],
  mesh: Mesh,
  *,
  num_examples: int,
  keep_predictions: bool = False,
) -> dict[str, Evaluation]:
  """Evaluates sets of variables by name ('raw', 'ema') over all batches, read once.

  Batches hold 'image', the task's fields, 'mask' (0 for padding and for examples that
  could not be read) and 'index' (-1 for padding). All processes must bring the same
  number of batches. The task completes the metrics (`Task.finish`).

  Raises:
    TrainingError: a device has too little memory.
    AssertionError: the number of examples seen is not `num_examples`. This is a bug,
      and must not be ignored: every accuracy would be slightly wrong.
  """
  keep = keep_predictions or task.needs_examples
  tallies = {kind: _Tally(task.fields, keep) for kind in variables}
  pending = None
  with memory.told(memory.OF_EVALUATION):
    for batch in batches:
      on_devices = sharding.put(mesh, batch)
      dispatched = {kind: eval_step(v, on_devices) for kind, v in variables.items()}
      if pending is not None:
        _collect(tallies, *pending)
      pending = dispatched, batch  # read while the next batch is computed
    if pending is not None:
      _collect(tallies, *pending)
  return {kind: tally.result(task, num_examples) for kind, tally in tallies.items()}


def _collect(tallies, outputs, batch) -> None:
  for kind, (sums, predictions) in outputs.items():
    tallies[kind].add(sums, predictions, batch)


class _Tally:
  """Adds up the outputs of one set of variables."""

  def __init__(self, fields: tuple[str, ...], keep_predictions: bool):
    self._fields = ('index', *fields)
    self._totals: dict[str, np.ndarray] = {}
    self._kept: list[dict[str, np.ndarray]] | None = [] if keep_predictions else None

  def add(self, sums, predictions, batch) -> None:
    for name, value in jax.device_get(sums).items():
      # Sums over batches are float64, or integers where the values are: a float32
      # counts no further than 2 ** 24.
      exact = np.int64 if np.issubdtype(value.dtype, np.integer) else np.float64
      self._totals[name] = self._totals.get(name, 0) + np.asarray(value, exact)
    if self._kept is None:
      return
    real = batch['mask'] > 0
    kept = {name: batch[name] for name in self._fields}
    kept |= {name: _local(values) for name, values in predictions.items()}
    self._kept.append({name: values[real] for name, values in kept.items()})

  def result(self, task, num_examples: int) -> Evaluation:
    seen, read, count = (
      round(float(self._totals.get(name, 0))) for name in ('seen', 'read', 'count')
    )
    assert seen == num_examples, f'evaluated {seen} examples of {num_examples}'
    predictions = None if self._kept is None else _in_order(self._kept)
    return Evaluation(
      metrics=task.finish(task.metrics(self._totals), predictions),
      count=count,
      unreadable=seen - read,
      untold=read - count,
      predictions=predictions,
    )


def _local(values: jax.Array) -> np.ndarray:
  """This process's rows of an array that is split over the first axis."""
  shards = sorted(
    values.addressable_shards, key=lambda shard: shard.index[0].start or 0
  )
  return np.concatenate([np.asarray(shard.data) for shard in shards])


def _in_order(kept: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
  """One array per field over all batches and processes, sorted by example index."""
  if not kept:
    return {}
  joined = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
  if jax.process_count() > 1:
    joined = _over_processes(joined)
  order = np.argsort(joined['index'], kind='stable')
  return {name: values[order] for name, values in joined.items()}


def _over_processes(joined: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Gathers arrays whose lengths differ from process to process."""
  from jax.experimental import multihost_utils

  lengths = multihost_utils.process_allgather(np.array(len(joined['index'])))
  longest = int(lengths.max())
  gathered = {}
  for name, values in joined.items():
    rest = [(0, longest - len(values))] + [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, rest)
    parts = multihost_utils.process_allgather(padded)
    gathered[name] = np.concatenate(
      [part[:n] for part, n in zip(parts, lengths, strict=True)]
    )
  return gathered

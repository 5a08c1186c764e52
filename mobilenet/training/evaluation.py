"""Exact evaluation: every example once, on any number of hosts and devices."""

import dataclasses
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh

from mobilenet.training import sharding


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """metrics: of the task. count: examples evaluated. unreadable: examples left out.

  Where predictions were kept, arrays of one entry an example, in the order of the
  split: index, label, and whatever the task predicts.
  """

  metrics: dict[str, float]
  count: int
  unreadable: int
  predictions: dict[str, np.ndarray] | None = None


def evaluate(
  eval_step: Callable,
  task,
  variables,
  batches: Iterator[dict[str, np.ndarray]],
  mesh: Mesh,
  *,
  num_examples: int,
  keep_predictions: bool = False,
) -> Evaluation:
  """Evaluates `variables` over all batches.

  Batches hold 'image', 'label', 'mask' (0 for padding and for examples that could not
  be read) and 'index' (-1 for padding). All processes must bring equally many.

  Raises:
    AssertionError: the examples seen are not `num_examples`: a bug, never to be passed
      over, since every accuracy would be wrong by a little.
  """
  totals: dict[str, float] = {}
  kept: list[dict[str, np.ndarray]] = []
  pending = None
  for batch in batches:
    dispatched = eval_step(variables, sharding.put(mesh, batch)), batch
    if pending is not None:
      _collect(pending, totals, kept if keep_predictions else None)
    pending = dispatched  # read while the next batch is computed
  if pending is not None:
    _collect(pending, totals, kept if keep_predictions else None)
  seen = round(totals.get('seen', 0.0))
  count = round(totals.get('count', 0.0))
  assert seen == num_examples, f'evaluated {seen} examples of {num_examples}'
  return Evaluation(
    metrics=task.metrics(totals),
    count=count,
    unreadable=seen - count,
    predictions=_in_order(kept) if keep_predictions else None,
  )


def _collect(pending, totals, kept):
  (sums, predictions), batch = pending
  for name, value in jax.device_get(sums).items():
    totals[name] = totals.get(name, 0.0) + float(value)
  if kept is None:
    return
  local = {name: _local(values) for name, values in predictions.items()}
  real = batch['mask'] > 0
  kept.append(
    {
      'index': batch['index'][real],
      'label': batch['label'][real],
      **{name: values[real] for name, values in local.items()},
    }
  )


def _local(values: jax.Array) -> np.ndarray:
  """This process's rows of an array that is split over the first axis."""
  shards = sorted(
    values.addressable_shards, key=lambda shard: shard.index[0].start or 0
  )
  return np.concatenate([np.asarray(shard.data) for shard in shards])


def _first_row(shard) -> int:
  return shard.index[0].start or 0


def _in_order(kept: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
  """One array a field over all batches and processes, sorted by the examples' index."""
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

"""Runs photos through a network: reads, prepares and batches them."""

import collections
import concurrent.futures
import functools
import itertools
import os
import pathlib
import typing
from collections.abc import Callable, Iterable, Iterator

import flax.linen as nn
import jax
import numpy as np

from input_pipeline import photos
from input_pipeline.errors import DataError
from input_pipeline.op_string import Op


class Predicted(typing.NamedTuple):
  """What `predict_photos` returns.

  photos: the N photos that could be read, in the order they were given.
  outputs: by name, what the task predicts of them; N entries each.
  unreadable: for each photo that was left out, a line that names it and says why.
  """

  photos: list[pathlib.Path]
  outputs: dict[str, np.ndarray]
  unreadable: list[str]


def predict_photos(
  model: nn.Module,
  task,
  variables,
  paths: Iterable[str | os.PathLike],
  ops: tuple[Op, ...],
  batch_size: int = 32,
  *,
  tell: Callable[[str], None] = print,
  advance: Callable[[int], None] = lambda number: None,
) -> Predicted:
  """What a task predicts of every photo: `photos_through` a network.

  Args:
    model: takes images (N, H, W, 3).
    task: the one that the model was trained for.
    variables: of the model.
    paths, ops, batch_size, tell, advance: see `photos_through`.
  """
  compute = functools.partial(_predictions, model, task, variables)
  return photos_through(compute, paths, ops, batch_size, tell=tell, advance=advance)


def photos_through(
  compute: Callable[[np.ndarray], dict[str, jax.Array]],
  paths: Iterable[str | os.PathLike],
  ops: tuple[Op, ...],
  batch_size: int = 32,
  *,
  tell: Callable[[str], None] = print,
  advance: Callable[[int], None] = lambda number: None,
) -> Predicted:
  """What is computed of every photo.

  The last batch is filled up, so that only one shape is compiled. A photo that cannot
  be read is reported and left out.

  Args:
    compute: prepared images (N, H, W, 3) to arrays of N rows by name.
    paths: photos, see `input_pipeline.photos.find_photos`.
    ops: `parse_ops(string, 'eval')`.
    batch_size: photos per batch.
    tell: gets one line for each photo that is left out, as soon as it is found.
    advance: is told how many more photos were read.

  Raises:
    DataError: no photo can be read, or the ops leave photos of different sizes.
  """
  unreadable: list[str] = []

  def leave_out(reason: str):
    unreadable.append(reason)
    advance(1)
    tell(f'left out: {reason}')

  named, waiting, rows, first = [], None, [], None
  for batch in _batches(paths, ops, batch_size, leave_out):
    first = first or batch[0]
    _check_sizes(first, batch)
    names, images = zip(*batch, strict=True)
    named += names
    advance(len(names))
    filled = np.stack([*images, *[images[-1]] * (batch_size - len(images))])
    computed = compute(filled)
    # Fetched one batch late: photos are read while the network runs.
    if waiting is not None:
      rows.append(jax.device_get(waiting))
    waiting = computed
  if waiting is None:
    raise DataError(
      f'none of the {len(unreadable)} photos can be read; the first: {unreadable[0]}'
      if unreadable
      else 'there are no photos to predict'
    )
  rows.append(jax.device_get(waiting))
  outputs = {
    name: np.concatenate([row[name] for row in rows])[: len(named)] for name in rows[0]
  }
  return Predicted(named, outputs, unreadable)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _predictions(model: nn.Module, task, variables, images) -> dict[str, jax.Array]:
  return task.predictions(model.apply(variables, images))


def _batches(
  paths: Iterable[str | os.PathLike],
  ops: tuple[Op, ...],
  batch_size: int,
  leave_out: Callable[[str], None],
) -> Iterator[list[tuple[pathlib.Path, np.ndarray]]]:
  """Batches of (path, image); only the last may have fewer than `batch_size`."""
  readable = _readable(map(pathlib.Path, paths), ops, batch_size, leave_out)
  while batch := list(itertools.islice(readable, batch_size)):
    yield batch


def _readable(paths, ops, at_once: int, leave_out):
  """(path, image) of the photos that can be read, in order.

  Some are read ahead all the time, also while the network runs. Twice as many as there
  are cores keep all of these busy; a batch of them keeps the network from waiting.
  """
  cores = os.cpu_count() or 1
  ahead = max(at_once, 2 * cores)
  reading: collections.deque = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(cores) as pool:
    # What follows the last photo pushes the ones that are still read out of the queue.
    for path in itertools.chain(paths, [None] * ahead):
      reading.append((path, path and pool.submit(_prepare, path, ops)))
      if len(reading) <= ahead:
        continue
      path, image = reading.popleft()
      if isinstance(image := image.result(), DataError):
        leave_out(str(image))
      else:
        yield path, image


def _prepare(path, ops) -> np.ndarray | DataError:
  try:
    image = photos.read_photo(path)
  except DataError as error:
    return error
  # Ops that do not fit a readable photo are a mistake in the ops: this raises.
  try:
    return photos.prepare(image, ops)
  except DataError as error:
    raise DataError(f'{path}: {error}') from None


def _check_sizes(first, batch) -> None:
  for path, image in batch:
    if image.shape != first[1].shape:
      sizes = [f'{each.shape[0]} x {each.shape[1]}' for each in (first[1], image)]
      raise DataError(
        f'photos must be of one size after the ops, but {first[0]} is {sizes[0]} and '
        f'{path} {sizes[1]} pixels; add central_crop or resize'
      )

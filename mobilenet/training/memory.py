"""The memory that a run needs, estimated before it is taken, and what if it lacks."""

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import optax

from mobilenet.training.errors import TrainingError, require

_FLOAT = 4  # bytes

# What to lower.
OF_TRAINING = (
  '--config.batch_size, --config.resolution or --config.model.width, or raise '
  '--config.accumulate'
)
OF_EVALUATION = '--config.eval_batch_size'


def needed(
  variables: Any,
  tx: optax.GradientTransformation,
  outputs: Iterable[tuple[int, ...]],
  *,
  image_shape: tuple[int, ...],
  batch_size: int,
  ema: bool,
  shards: int = 1,
) -> int:
  """A lower bound of the bytes that a training step holds on one device.

  Args:
    variables: the network's, as shapes.
    tx: the optimizer.
    outputs: shapes of the layers' outputs for one image that the backward pass needs;
      what else XLA keeps is not counted.
    image_shape: of one image.
    batch_size: images on the device at a time.
    ema: whether averages of the variables are kept.
    shards: devices that share all of this but the images.
  """
  params = variables['params']
  slots = jax.eval_shape(tx.init, params)
  # The variables, their averages, the gradients, what the optimizer keeps.
  state = _count(variables) * (2 if ema else 1) + _count(params) + _count(slots)
  image = math.prod(image_shape) + sum(math.prod(shape) for shape in outputs)
  return _FLOAT * (state // shards + image * batch_size)


def _count(tree: Any) -> int:
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def available() -> int | None:
  """Bytes of a device, or of the machine for a CPU; None if unknown."""
  device = jax.local_devices()[0]
  if device.platform != 'cpu':
    return (device.memory_stats() or {}).get('bytes_limit')
  try:
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  except (AttributeError, ValueError, OSError):  # Windows
    return None


def check(bytes_needed: int) -> None:
  """Checks that a training run can fit.

  Raises:
    TrainingError: it needs more than there is; the line names the fields to lower.
  """
  there = available()
  require(
    there is None or bytes_needed <= there,
    f'this training needs at least {_size(bytes_needed)} of memory and there are '
    f'{_size(there or 0)}: lower {OF_TRAINING}',
  )


@contextlib.contextmanager
def told(fields: str) -> Iterator[None]:
  """Inside, a device that is out of memory becomes one line.

  Args:
    fields: of the config, to lower.

  Raises:
    TrainingError: a device has too little memory to compile or run a program.
  """
  try:
    yield
  except jax.errors.JaxRuntimeError as error:
    text = ' '.join(str(error).split())
    if 'RESOURCE_EXHAUSTED' not in text:
      raise
    shown = text if len(text) <= 160 else f'{text[:160]} ...'
    raise TrainingError(
      f'a device has too little memory ({shown}): lower {fields}'
    ) from error


def _size(count: float) -> str:
  for unit in ('bytes', 'KiB', 'MiB', 'GiB', 'TiB'):
    if count < 1024 or unit == 'TiB':
      return f'{count:,.0f} {unit}' if unit == 'bytes' else f'{count:,.1f} {unit}'
    count /= 1024
  raise AssertionError

"""One mesh over all devices, and what of a run lies where on it.

The batch is split over all devices. The state is on every device, or, where the mesh
has a second axis of more than one, each of its large arrays is cut along that axis
(ZeRO, 1910.02054; FSDP, 2304.11277): the step gathers the parameters for its passes,
and each device keeps and updates its part of parameters, optimizer state and averages.
"""

import math
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from mobilenet.training.errors import TrainingError, require

DATA, SHARDS = 'data', 'shards'  # the axes
# Arrays of fewer numbers are on every device: moving them costs more than they take.
SMALL = 4096


def make_mesh(devices=None, shards: int = 1) -> Mesh:
  """A mesh of (n / shards, shards) over n `devices` (default: all), as (data, shards).

  Neighbours share a state, which are devices of one host where there are enough. The
  axes are Auto: the compiler propagates the shardings, as pjit did.

  Raises:
    TrainingError: so many devices cannot be divided by `shards`.
  """
  devices = jax.devices() if devices is None else devices
  require(
    shards >= 1 and len(devices) % shards == 0,
    f'shards = {shards} does not divide the {len(devices)} devices of this run',
  )
  grid = np.asarray(devices).reshape(-1, shards)
  return Mesh(grid, (DATA, SHARDS), axis_types=(AxisType.Auto,) * 2)


def replicated(mesh: Mesh) -> NamedSharding:
  """Every device holds the whole array."""
  return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh) -> NamedSharding:
  """Split over the first axis and all devices; for batches."""
  return NamedSharding(mesh, PartitionSpec((DATA, SHARDS)))


def is_sharded(mesh: Mesh) -> bool:
  """Whether devices share a state."""
  return mesh.shape[SHARDS] > 1


def of_state(mesh: Mesh, tree: Any) -> Any:
  """The sharding of each array of a state, by its shape alone.

  Cut is the longest axis that the shards divide, the last of equal ones.
  """
  shards = mesh.shape[SHARDS]

  def of_leaf(leaf) -> NamedSharding:
    axes = [n for n, size in enumerate(leaf.shape) if size % shards == 0]
    if shards == 1 or not axes or math.prod(leaf.shape) < SMALL:
      return replicated(mesh)
    cut = max(axes, key=lambda n: (leaf.shape[n], n))
    return NamedSharding(mesh, PartitionSpec(*[None] * cut, SHARDS))

  return jax.tree.map(of_leaf, tree)


def cut(mesh: Mesh, tree: Any) -> Any:
  """Inside a jitted function: arrays shaped like a state's, lying as they do there."""
  if not is_sharded(mesh):
    return tree
  return lax.with_sharding_constraint(tree, of_state(mesh, tree))


def gathered(mesh: Mesh, tree: Any) -> Any:
  """Inside a jitted function: arrays that every device is to have whole."""
  if not is_sharded(mesh):
    return tree
  return lax.with_sharding_constraint(tree, replicated(mesh))


def gather(mesh: Mesh):
  """The jitted function that gives every device all of each array."""
  return jax.jit(lambda given: given, out_shardings=replicated(mesh))


def whole(mesh: Mesh, tree: Any) -> Any:
  """The arrays of a state, every device holding all of each."""
  if not is_sharded(mesh):
    return tree
  return gather(mesh)(tree)


def local_batch_size(
  mesh: Mesh, batch_size: int, what: str = 'batch_size', parts: int = 1
) -> int:
  """This process's share of a global batch.

  Args:
    mesh: of the run.
    batch_size: over all devices.
    what: the field that says so, for the error.
    parts: into which a device cuts its share, one computed after the other.

  Raises:
    TrainingError: the batch is not a multiple of the number of devices and parts.
  """
  devices = mesh.devices.size
  unit = devices * parts
  if batch_size < 1 or batch_size % unit:
    near = max(unit, round(batch_size / unit) * unit)
    times = f' in {parts} parts each (accumulate)' if parts > 1 else ''
    raise TrainingError(
      f'{what} = {batch_size} cannot be divided over {devices} '
      f'device{"s" if devices > 1 else ""}{times}; use a multiple of {unit}, such as '
      f'{near}'
    )
  return batch_size * len(mesh.local_devices) // devices


def put_all(mesh: Mesh, batches: Iterable[dict]) -> list[dict[str, jax.Array]]:
  """`put` of each: for batches that are used often."""
  return [put(mesh, batch) for batch in batches]


def put(mesh: Mesh, batch: dict[str, np.ndarray | jax.Array]) -> dict[str, jax.Array]:
  """This process's share of a batch as part of the global, split arrays.

  What has been put stays as it is.
  """
  sharding = split(mesh)
  return {
    name: values
    if isinstance(values, jax.Array)
    else jax.make_array_from_process_local_data(sharding, values)
    for name, values in batch.items()
  }

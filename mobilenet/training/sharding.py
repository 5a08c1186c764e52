"""One mesh over all devices; the batch is split over it, everything else replicated."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from mobilenet.training.errors import TrainingError

DATA = 'data'


def make_mesh(devices=None) -> Mesh:
  """A one-dimensional mesh over `devices` (default: all of them), axis 'data'.

  The axis is Auto: the compiler propagates the shardings, as pjit did.
  """
  devices = jax.devices() if devices is None else devices
  return Mesh(np.asarray(devices), (DATA,), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
  """Every device holds the whole array; for the state."""
  return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh) -> NamedSharding:
  """Split over the first axis; for batches."""
  return NamedSharding(mesh, PartitionSpec(DATA))


def local_batch_size(mesh: Mesh, batch_size: int, what: str = 'batch_size') -> int:
  """This process's share of a global batch.

  Raises:
    TrainingError: the batch is not a multiple of the number of devices.
  """
  devices = mesh.devices.size
  if batch_size < 1 or batch_size % devices:
    near = max(devices, round(batch_size / devices) * devices)
    raise TrainingError(
      f'{what} = {batch_size} cannot be divided over {devices} '
      f'device{"s" if devices > 1 else ""}; use a multiple of {devices}, such as {near}'
    )
  return batch_size * len(mesh.local_devices) // devices


def put(mesh: Mesh, batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
  """This process's share of a batch as part of the global, split arrays."""
  sharding = split(mesh)
  return {
    name: jax.make_array_from_process_local_data(sharding, values)
    for name, values in batch.items()
  }

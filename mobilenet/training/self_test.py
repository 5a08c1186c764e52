"""What several processes show each other before their first step together."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from mobilenet.training import processes, sharding
from mobilenet.training.errors import require


def check(
  mesh: Mesh, step: int, variables: dict[str, Any], batch: dict[str, np.ndarray]
) -> None:
  """Checks that the processes begin alike, on other data each, and can add up.

  Args:
    mesh: of the devices of all processes.
    step: that all go on from.
    variables: as they lie in the state.
    batch: this process's share of the first batch.

  Raises:
    TrainingError: something is not so; it names the processes.
  """
  if not processes.several():
    return
  if sharding.is_sharded(mesh):
    gather = processes.together('all of the weights', sharding.gather(mesh))
    variables = gather(variables)
  same = {'the step': step, 'the checksum of the weights': checksum(variables)}
  processes.check_alike('the first step', same, {'the first batch': checksum(batch)})
  # Each device brings the number of its process, from 1.
  own = np.full(len(mesh.local_devices), jax.process_index() + 1, np.float32)
  total = jax.jit(jnp.sum, out_shardings=sharding.replicated(mesh))
  summed = processes.together('a first sum', total)(sharding.put(mesh, {'': own})[''])
  expected = sum(device.process_index + 1 for device in mesh.devices.flat)
  require(
    float(summed) == expected,
    f'the processes do not add up: a sum over all is {float(summed):g} on '
    f'{processes.who(jax.process_index())}, and should be {expected}',
  )


def checksum(tree: Any) -> int:
  """CRC-32 over the arrays of a tree, those of JAX as the first own device has them."""
  total = 0
  for leaf in jax.tree.leaves(tree):
    local = leaf.addressable_data(0) if isinstance(leaf, jax.Array) else leaf
    total = zlib.crc32(np.asarray(local).tobytes(), total)
  return total

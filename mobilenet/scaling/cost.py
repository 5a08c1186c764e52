"""What a compiled step takes of each device."""

import math
from typing import Any, NamedTuple

import jax

from mobilenet.scaling import collectives


class Cost(NamedTuple):
  """Of a step; bytes and operations are those of one device.

  parameters, multiply_adds: of the network; those of one image's forward pass.
  arguments: bytes that are there before it, state and batch. temporaries: those that it
  needs besides. operations, memory_traffic: as XLA counts them. checkpoint: bytes of
  the whole state.
  """

  parameters: int
  multiply_adds: int
  arguments: int
  temporaries: int
  operations: float
  memory_traffic: float
  collectives: list[collectives.Collective]
  checkpoint: int

  @property
  def memory(self) -> int:
    """Bytes that a device must have; the new state takes the place of the old one."""
    return self.arguments + self.temporaries


def of_step(
  program: jax.stages.Compiled, state: Any, size: tuple[int, int], devices: int
) -> Cost:
  """Reads a compiled step.

  Args:
    program: of (state, batch).
    state: its shapes.
    size: (parameters, multiply-adds) of the network.
    devices: that take part.
  """
  memory, counted = program.memory_analysis(), program.cost_analysis()
  return Cost(
    *size,
    arguments=memory.argument_size_in_bytes,
    temporaries=memory.temp_size_in_bytes,
    operations=counted['flops'],
    memory_traffic=counted['bytes accessed'],
    collectives=collectives.of_program(program.as_text(), devices),
    checkpoint=sum(
      math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)
    ),
  )

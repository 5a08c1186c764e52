"""The worker that times a network's convolutions one by one, in every lowering."""

import dataclasses
import random
import time

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.bench import ours, recipe
from mobilenet.bench.shapes import (
  DIRECTIONS,
  Shape,
  array_shapes,
  shapes_of,
  work,
)
from mobilenet.bench.worker import Prepared, one_line
from mobilenet.models import lowering
from mobilenet.models.convolution import conv
from mobilenet.reports import result
from mobilenet.training.allocator import keep_freed_memory

# A round repeats a call for about this long, at most this often.
ROUND_MS, MOST_REPEATS = 20.0, 50
# A lowering that is slower than the fastest by this factor has fewer rounds: XLA's own
# depthwise convolution on a CPU would take most of the time.
FAR_SLOWER, FEWER_ROUNDS = 4.0, 3


def names() -> tuple[str, ...]:
  """The lowerings that this machine has; `auto` last, to be matched with the others."""
  compiled = jax.default_backend() == 'cpu' and lowering.kernels.is_built()
  return ('native', 'sliced', *(['compiled'] if compiled else []), 'auto')


def prepare(spec: dict) -> Prepared:
  """Finds the network's convolutions; `measure(number, rounds)` times one of them."""
  keep_freed_memory()
  model = ours.network(spec)
  shapes = list(shapes_of(model, spec['resolution'], spec['batch']).items())
  nothing, one = jax.jit(lambda x: x + 1), jnp.ones(())
  where = result.environment()

  def measure(number: int, rounds: int) -> dict:
    shape, count = shapes[number]
    return {
      'shape': dataclasses.asdict(shape) | {'kind': shape.kind},
      'count': count,
      'nothing_ms': min(interleaved({'': nothing}, (one,), rounds)['']),
      'directions': time_shape(shape, rounds),
    }

  return Prepared(
    run=lambda: jax.block_until_ready(nothing(one)),
    parameters=0,
    init_seconds=0.0,
    platform=where['platform'],
    device=where['device_kind'],
    versions={
      name: where[name] for name in ('python', 'jax', 'jaxlib', 'flax', 'numpy')
    },
    parts=len(shapes),
    measure=measure,
  )


def time_shape(shape: Shape, rounds: int) -> dict[str, dict]:
  """Times a convolution in each direction, the lowerings in turn within each round.

  Returns:
    Direction -> ms: {lowering: of each round}; programs: {lowering: the first lowering
    with the same program}, which is timed for both; errors: {lowering: a line};
    operations, bytes: see `work`.
  """
  generator = np.random.default_rng(recipe.SEED)
  arrays = [
    jnp.asarray(generator.standard_normal(size, np.float32), shape.dtype)
    for size in array_shapes(shape)
  ]
  found = {}
  for direction in DIRECTIONS:
    if shape.first and direction in ('input gradient', 'gradients'):
      continue
    arguments = arrays[:2] if direction == 'forward' else arrays
    compiled, programs, errors = compile_all(shape, direction, arguments)
    times = interleaved(compiled, arguments, rounds)
    operations, size = work(shape, direction)
    found[direction] = {
      'ms': {
        name: times[program] for name, program in programs.items() if program in times
      },
      'programs': programs,
      'errors': errors,
      'operations': operations,
      'bytes': size,
    }
  if shape.first:  # no training needs the gradient of the images
    found['gradients'] = found['kernel gradient']
  return found


def compile_all(shape: Shape, direction: str, arguments) -> tuple[dict, dict, dict]:
  """The distinct programs, that of each lowering, and errors; see `time_shape`."""
  texts, programs, compiled, errors = {}, {}, {}, {}
  for name in names():
    try:
      lowered = jax.jit(function_of(shape, direction, name)).lower(*arguments)
      programs[name] = texts.setdefault(lowered.as_text(), name)
      if programs[name] == name:
        program = lowered.compile()
        jax.block_until_ready(program(*arguments))
        compiled[name] = program
    except Exception as error:  # no memory, no kernel: the others go on
      errors[name] = one_line(error)
  return compiled, programs, errors


def function_of(shape: Shape, direction: str, name: str):
  """A convolution as a function of (x, kernel), or gradients of (x, kernel, g)."""

  def convolve(x, kernel):
    return conv(
      x,
      kernel,
      stride=shape.stride,
      padding=shape.padding,
      groups=shape.groups,
      lowering=name,
    )

  def gradients(x, kernel, g):
    dx, d_kernel = jax.vjp(convolve, x, kernel)[1](g)
    if direction == 'input gradient':
      return dx
    return d_kernel if direction == 'kernel gradient' else (dx, d_kernel)

  return convolve if direction == 'forward' else gradients


def interleaved(programs: dict, arguments, rounds: int) -> dict[str, list[float]]:
  """Milliseconds per call of each program; each round has an order drawn anew."""
  once = {name: call_ms(run, arguments, 1) for name, run in programs.items()}
  times = {name: [] for name in programs}
  for number in range(rounds):
    order = sorted(programs)
    random.Random(number).shuffle(order)
    for name in order:
      far = once[name] > FAR_SLOWER * min(once.values())
      if far and number >= FEWER_ROUNDS:
        continue
      repeats = round(ROUND_MS / max(once[name], 1e-3))
      repeats = max(1, min(MOST_REPEATS, repeats))
      times[name].append(call_ms(programs[name], arguments, repeats))
  return times


def call_ms(program, arguments, repeats: int) -> float:
  """Milliseconds per call, of several in a row: so a GPU has its queue full."""
  began = time.perf_counter()
  for _ in range(repeats):
    out = program(*arguments)
  jax.block_until_ready(out)
  return 1e3 * (time.perf_counter() - began) / repeats

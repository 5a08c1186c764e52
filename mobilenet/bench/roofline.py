"""The worker that times the parts of a step and of inference, beside their floors.

A part is an instruction of the compiled program (`hlo`). Its floor is what the machine
needs at least for what the part reads, writes and computes, at the rates that this very
process reaches: of copies of a large array, and of the fastest of some products.
"""

import dataclasses
import gzip
import json
import pathlib
import statistics
import tempfile

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.bench import hlo, ours, recipe
from mobilenet.bench.lowerings import call_ms
from mobilenet.bench.worker import Prepared
from mobilenet.models.accelerator import kernels
from mobilenet.models.initial import init_variables
from mobilenet.reports import result
from mobilenet.training.allocator import keep_freed_memory

PARTS = ('train', 'infer')
# An array that no cache holds, and products that a network could have.
COPIED = 1 << 26  # floats
PRODUCTS = ((3136, 512, 512), (12544, 128, 128))  # rows, depth, columns


def prepare(spec: dict) -> Prepared:
  """`measure(number, rounds)` times training, then inference."""
  keep_freed_memory()
  model = ours.network(spec)
  image_shape = (spec['resolution'],) * 2 + (3,)
  variables = jax.device_put(init_variables(model, image_shape, recipe.SEED))
  batch = ours.BATCHES[spec['kind']](spec)
  where = result.environment()

  def measure(number: int, rounds: int) -> dict:
    if PARTS[number] == 'train':
      step, state, on_device = ours.jitted_step(model, variables, batch, spec['kind'])
      program = step.lower(state, on_device).compile()

      def run():
        nonlocal state
        state, _ = program(state, on_device)
        jax.block_until_ready(state)
    else:
      apply, folded = ours.jitted_inference(model, variables, spec['kind'])
      images = jax.device_put(batch['image'])
      program = apply.lower(folded, images).compile()
      run = lambda: jax.block_until_ready(program(folded, images))  # noqa: E731

    return timed(run, program.as_text(), rounds) | rates(rounds)

  return Prepared(
    run=lambda: None,
    parameters=0,
    init_seconds=0.0,
    platform=where['platform'],
    device=where['device_kind'],
    versions={name: where[name] for name in ('python', 'jax', 'jaxlib', 'flax')},
    parts=len(PARTS),
    measure=measure,
  )


def timed(run, text: str, rounds: int) -> dict:
  """whole_ms: of a call; parts: the fields of each `hlo.Instruction`, and its ms.

  Calls that are traced are not those whose whole time is taken.
  """
  for _ in range(2):
    run()
  whole = statistics.median(call_ms(run, (), 1) for _ in range(rounds))
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      for _ in range(rounds):
        run()
    times = times_by_name(pathlib.Path(folder), rounds)
  known = hlo.instructions(text)
  parts = [
    {'name': name, 'ms': ms, **dataclasses.asdict(known[name])}
    for name, ms in times.items()
    if name in known
  ]
  return {'whole_ms': whole, 'parts': parts}


def times_by_name(folder: pathlib.Path, rounds: int) -> dict[str, float]:
  """Milliseconds per call of each instruction of a trace: the median of the calls."""
  (path,) = folder.rglob('*.trace.json.gz')
  with gzip.open(path, 'rt') as file:
    events = json.load(file)['traceEvents']
  found = {}
  for event in sorted(events, key=lambda event: event.get('ts', 0)):
    name = event.get('args', {}).get('hlo_op')
    if event.get('ph') == 'X' and name:
      found.setdefault(name, []).append(event['dur'] / 1e3)
  return {name: per_call(ms, rounds) for name, ms in found.items()}


def per_call(ms: list[float], rounds: int) -> float:
  """Of an instruction that may be there several times in a call."""
  if len(ms) % rounds:  # an event was lost
    return sum(ms) / rounds
  each = len(ms) // rounds
  return statistics.median(sum(ms[n : n + each]) for n in range(0, len(ms), each))


def rates(rounds: int) -> dict[str, float]:
  """gigabytes: a second, read and written by a copy; gflops: of the fastest product."""
  copied = jnp.ones(COPIED, jnp.float32)
  copy = jax.jit(lambda x: x + 1)
  least = least_ms(copy, (copied,), rounds)
  rng, fastest = np.random.default_rng(0), 0.0
  for rows, depth, columns in PRODUCTS:
    x = jnp.asarray(rng.standard_normal((rows, depth), np.float32))
    w = jnp.asarray(rng.standard_normal((depth, columns), np.float32))
    for product in products():
      took = least_ms(product, (x, w), rounds)
      fastest = max(fastest, 2e-6 * rows * depth * columns / took)
  return {'gigabytes': 2e-6 * copied.nbytes / least, 'gflops': fastest}


def least_ms(program, arguments, rounds: int) -> float:
  """Of some calls, after one that compiles."""
  call_ms(program, arguments, 1)
  return min(call_ms(program, arguments, 1) for _ in range(max(5, rounds)))


def products():
  """XLA's product of matrices, and the accelerator's where it is built."""
  yield jax.jit(jnp.matmul)
  if jax.default_backend() == 'cpu' and kernels.is_built():
    yield jax.jit(lambda x, w: kernels.pointwise(x, w, jnp.zeros(0), 'linear'))

"""Times a network against the same network in stock flax.linen, in one run.

    python -m mobilenet.reports.bench --model=mobilenet_v3_large --batch=16

Rounds are interleaved, so that a machine whose speed drifts slows both; medians and
their ratio are printed. A training step is forward, backward and the RMSprop update.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import zoo
from mobilenet.models.initializers import init_variables
from mobilenet.reports import result, terminal
from mobilenet.reports.stock import StockClassifier
from mobilenet.training import optimizer, sharding, state, step, tasks
from mobilenet.training.allocator import keep_freed_memory

SEED = 0


def training_step(model, variables, batch):
  """A function that takes one step; it keeps its state."""
  task = tasks.Classification(label_smoothing=0.1, l2=1e-5)
  tx = optimizer.make_optimizer(
    {'name': 'rmsprop_tf', 'eps': 1e-3}, lambda _: jnp.float32(0.01)
  )
  mesh = sharding.make_mesh(jax.devices()[:1])
  current = jax.jit(
    lambda v: state.create(v, tx, task.zero_sums(), ema=False),
    out_shardings=sharding.replicated(mesh),
  )(variables)
  train_step = step.make_train_step(model, task, tx, mesh, seed=SEED, ema_decay=None)

  def run():
    nonlocal current
    current, _ = train_step(current, batch)
    jax.block_until_ready(current)

  return run


def inference(model, variables, images):
  """A function that computes the logits of a batch."""
  apply = jax.jit(lambda v, x: model.apply(v, x, train=False))
  return lambda: jax.block_until_ready(apply(variables, images))


def interleaved(functions: dict, rounds: int) -> dict[str, list[float]]:
  """Milliseconds of each function in each round, after one call that compiles."""
  times = {name: [] for name in functions}
  for function in functions.values():
    function()
  for _ in range(rounds):
    for name, function in functions.items():
      began = time.perf_counter()
      function()
      times[name].append(1e3 * (time.perf_counter() - began))
  return times


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--model', default='mobilenet_v3_large')
  parser.add_argument('--batch', type=int, default=16)
  parser.add_argument('--resolution', type=int, default=224, help='px')
  parser.add_argument('--rounds', type=int, default=9)
  arguments = parser.parse_args()
  keep_freed_memory()
  ours = zoo.create(arguments.model)
  stock = StockClassifier(ours.network, ours.num_classes)
  size = arguments.resolution
  variables = jax.device_put(init_variables(ours, (size, size, 3), SEED))
  rng = np.random.default_rng(SEED)
  shape = (arguments.batch, size, size, 3)
  images = jnp.asarray(rng.standard_normal(shape), jnp.float32)
  labels = jnp.asarray(rng.integers(0, ours.num_classes, shape[0]), jnp.int32)
  batch = {'image': images, 'label': labels}
  logits = ours.apply(variables, images)
  difference = jnp.abs(logits - stock.apply(variables, images)).max()
  relative = float(difference / jnp.abs(logits).max())
  print(f'largest difference of a logit: {relative:.1e} of the largest logit')
  table = terminal.make_table(
    f'{arguments.model}, batch {arguments.batch}, {size} px, float32: ms',
    [
      ('', 'left'),
      ('stock flax.linen', 'right'),
      ('ours', 'right'),
      ('ratio', 'right'),
    ],
  )
  for title, functions in (
    (
      'training step',
      {
        'stock': training_step(stock, variables, batch),
        'ours': training_step(ours, variables, batch),
      },
    ),
    (
      'inference',
      {
        'stock': inference(stock, variables, images),
        'ours': inference(ours, variables, images),
      },
    ),
  ):
    times = interleaved(functions, arguments.rounds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    cells = [
      f'{medians[name]:,.0f} ({min(values):,.0f}-{max(values):,.0f})'
      for name, values in times.items()
    ]
    terminal.add_row(table, title, *cells, f'{medians["stock"] / medians["ours"]:.1f}')
  terminal.show(table)
  versions = result.environment()
  print(
    f'median (min-max) of {arguments.rounds} interleaved rounds on '
    f'{versions["device_kind"]}, {versions["cpu_count"]} cores; '
    + ', '.join(f'{name} {versions[name]}' for name in ('jax', 'flax', 'optax'))
  )


if __name__ == '__main__':
  main()

"""Ours, ours without the accelerator, and its twin in stock flax.linen."""

import time

import jax
import jax.numpy as jnp

from mobilenet.bench import recipe
from mobilenet.bench.stock import StockClassifier
from mobilenet.bench.worker import Prepared
from mobilenet.models import folding, lowering, zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.reports import result
from mobilenet.tasks.classification import Classification
from mobilenet.training import optimizer, sharding, state, step
from mobilenet.training.allocator import keep_freed_memory


def prepare(spec: dict) -> Prepared:
  """Ours, 'plain' for XLA alone, or 'stock' for its twin; see `Prepared`.

  Args:
    spec: contender, mode ('train' or 'infer'), name, width, num_classes, batch,
      resolution (px), dtype, and cold: whether compile time is measured.
  """
  keep_freed_memory()
  with_accelerator = spec['contender'] == 'ours'
  ours = network(spec, 'auto' if with_accelerator else lowering.without_accelerator())
  model = ours
  image_shape = (spec['resolution'],) * 2 + (3,)
  began = time.perf_counter()
  if spec['contender'] == 'stock':
    model = StockClassifier(ours.network, ours.num_classes)
  if spec['cold'] and model is not ours:
    # As users of stock Flax do it; in other modes this would only take time.
    shape = jnp.zeros((1, *image_shape), jnp.float32)
    variables = jax.jit(model.init)(jax.random.key(recipe.SEED), shape)
  else:
    variables = jax.device_put(init_variables(ours, image_shape, recipe.SEED))
  images, labels = recipe.made_batch(spec)
  if spec['mode'] == 'train':
    run = training_step(model, variables, {'image': images, 'label': labels})
  else:
    infer, images = inference_fn(model, variables), jax.device_put(images)
    # The logits stay on the device: a copy to the host would be timed too.
    run = lambda: jax.block_until_ready(infer(images))  # noqa: E731
  jax.block_until_ready(variables)
  init_seconds = time.perf_counter() - began
  where = result.environment()
  built = lowering.choose(ours.network.style.lowering) == 'compiled'
  how = 'in use' if built else 'not in use'
  packages = ('python', 'jax', 'jaxlib', 'flax', 'optax', 'numpy')
  return Prepared(
    run=run,
    parameters=sum(leaf.size for leaf in jax.tree.leaves(variables['params'])),
    init_seconds=init_seconds,
    platform=where['platform'],
    device=where['device_kind'],
    versions={
      **{name: where[name] for name in packages},
      # 'plain' and 'stock' never use it.
      **({'accelerator': how} if spec['contender'] == 'ours' else {}),
    },
    device_memory=device_memory,
  )


def network(spec: dict, lowering: str = 'auto') -> Classifier:
  """The network that a spec names."""
  return zoo.create(
    spec['name'],
    width=spec['width'],
    num_classes=spec['num_classes'],
    dtype=spec['dtype'],
    lowering=lowering,
  )


def training_step(model, variables, batch: dict):
  """A function that takes one step, with the update and the averages of `step`."""
  task = Classification(label_smoothing=recipe.LABEL_SMOOTHING)
  tx = optimizer.make_optimizer(
    {
      'name': 'rmsprop_tf',
      'decay': recipe.DECAY,
      'momentum': recipe.MOMENTUM,
      'eps': recipe.EPSILON,
    },
    lambda _: jnp.float32(recipe.LEARNING_RATE),
  )
  mesh = sharding.make_mesh(jax.devices()[:1])
  current = jax.jit(
    lambda v: state.create(v, tx, task.zero_sums(), ema=True),
    out_shardings=sharding.replicated(mesh),
  )(variables)
  train_step = step.make_train_step(
    model, task, tx, mesh, seed=recipe.SEED, ema_decay=recipe.EMA_DECAY
  )
  batch = sharding.put(mesh, batch)

  def run():
    nonlocal current
    current, _ = train_step(current, batch)
    jax.block_until_ready(current)

  jax.block_until_ready(current)
  return run


def inference_fn(model, variables):
  """images -> logits, as a finished model is run: with its norms folded in."""
  if isinstance(model, Classifier):
    model, variables = folding.fold(model, variables)
  apply = jax.jit(lambda v, x: model.apply(v, x, train=False))
  return lambda images: apply(variables, images)


def device_memory() -> int | None:
  """Peak bytes on a GPU or TPU; None on a CPU, whose memory is the process's."""
  statistics = jax.local_devices()[0].memory_stats() or {}
  on_host = jax.default_backend() == 'cpu'
  return None if on_host else statistics.get('peak_bytes_in_use')

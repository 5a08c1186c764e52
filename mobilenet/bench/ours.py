"""Ours, ours without the accelerator, and its twin in stock flax.linen."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.bench import recipe
from mobilenet.bench.stock import StockClassifier
from mobilenet.bench.worker import Prepared
from mobilenet.models import boxes, folding, lowering, named
from mobilenet.models.initial import init_variables
from mobilenet.reports import result
from mobilenet.tasks.classification import Classification
from mobilenet.tasks.detection import Detection
from mobilenet.training import optimizer, sharding, state, step
from mobilenet.training.allocator import give_back_freed_memory, keep_freed_memory

OPTIMIZERS = {
  'rmsprop': {
    'name': 'rmsprop_tf',
    'decay': recipe.DECAY,
    'momentum': recipe.MOMENTUM,
    'eps': recipe.EPSILON,
  },
  'sgd': {'name': 'sgd', 'momentum': recipe.MOMENTUM},
}
# torchvision's detectors have this loss as well.
TASKS = {
  'classification': Classification(label_smoothing=recipe.LABEL_SMOOTHING),
  'detection': Detection(class_loss='hard_negatives'),
}


def prepare(spec: dict) -> Prepared:
  """Ours, 'plain' for XLA alone, or 'stock' for its twin; see `Prepared`.

  Args:
    spec: contender, mode ('train' or 'infer'), kind, name, width, num_classes, batch,
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
  batch = BATCHES[spec['kind']](spec)
  if spec['mode'] == 'train':
    run = training_step(model, variables, batch, spec['kind'])
  else:
    infer = inference_fn(model, variables, spec['kind'])
    images = jax.device_put(batch['image'])
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


def network(spec: dict, lowering: str = 'auto'):
  """The network that a spec names."""
  rows = {'table': spec['table']} if spec['table'] else {}
  return named.create(
    spec['name'],
    **rows,
    width=spec['width'],
    num_classes=spec['num_classes'],
    dtype=spec['dtype'],
    lowering=lowering,
  )


def labelled(spec: dict) -> dict:
  """The batch of a classifier."""
  images, labels = recipe.made_batch(spec)
  return {'image': images, 'label': labels}


def with_boxes(spec: dict) -> dict:
  """The batch of a detector."""
  (images, _), (boxes, classes) = recipe.made_batch(spec), recipe.made_boxes(spec)
  nowhere = np.zeros(classes.shape, bool)
  return {'image': images, 'boxes': boxes, 'classes': classes, 'crowd': nowhere}


BATCHES: dict[str, Callable[[dict], dict]] = {
  'classification': labelled,
  'detection': with_boxes,
}


def training_step(model, variables, batch: dict, kind: str):
  """A function that takes one step: the loss, update and averages of the recipe."""
  step, current, batch = jitted_step(model, variables, batch, kind)
  compiled = False

  def run():
    nonlocal current, compiled
    current, _ = step(current, batch)
    jax.block_until_ready(current)
    if not compiled:  # as `training.programs` does
      compiled = True
      give_back_freed_memory()

  return run


def jitted_step(model, variables, batch: dict, kind: str) -> tuple:
  """(step, state, batch), both on the device.

  step(state, batch) -> (state, metrics); the state that it was given is then gone.
  """
  task, how = TASKS[kind], recipe.RECIPES[kind]
  tx = optimizer.make_optimizer(
    OPTIMIZERS[how.optimizer],
    lambda _: jnp.float32(recipe.LEARNING_RATE),
    lowering=model.network.style.lowering,
  )
  mesh = sharding.make_mesh(jax.devices()[:1])
  current = jax.jit(
    lambda v: state.create(v, tx, task.zero_sums(), ema=how.averages),
    out_shardings=sharding.replicated(mesh),
  )(variables)
  train_step = step.make_train_step(
    model,
    task,
    tx,
    mesh,
    seed=recipe.SEED,
    ema_decay=recipe.EMA_DECAY if how.averages else None,
  )
  batch = sharding.put(mesh, batch)
  jax.block_until_ready(current)
  return train_step, current, batch


def inference_fn(model, variables, kind: str):
  """images -> logits, as a finished model is run: with its norms folded in.

  Of a detector: boxes and scores of all anchors, before suppression.
  """
  apply, variables = jitted_inference(model, variables, kind)
  return lambda images: apply(variables, images)


def jitted_inference(model, variables, kind: str) -> tuple:
  """(apply, variables) of `inference_fn`."""
  if not isinstance(model, StockClassifier):
    model, variables = folding.fold(model, variables)

  def answer(variables, images):
    found = model.apply(variables, images, train=False)
    if kind != 'detection':
      return found
    decoded = boxes.decode(found.codes, found.anchors)
    return decoded, TASKS[kind].scores(found.logits)

  return jax.jit(answer), variables


def device_memory() -> int | None:
  """Peak bytes on a GPU or TPU; None on a CPU, whose memory is the process's."""
  statistics = jax.local_devices()[0].memory_stats() or {}
  on_host = jax.default_backend() == 'cpu'
  return None if on_host else statistics.get('peak_bytes_in_use')

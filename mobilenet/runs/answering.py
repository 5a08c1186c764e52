"""A network that answers for images: for a teacher's training batches, or for a file.

    check(weights)
    answer = answering(weights, mesh, convert)
    logits, embeddings = answer(images)

Evaluation mode: no dropout, running statistics.
"""

import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from mobilenet.models import folding, named
from mobilenet.models.classifier import Answer
from mobilenet.training import sharding, workdir
from mobilenet.training.errors import require
from mobilenet.weights.own_file import Weights

TRAIN_IT = 'train it on them first: --config=configs/finetune.py'


def check(weights: Weights) -> None:
  """Checks that weights are a network whose answers can be had.

  Raises:
    TrainingError: there is no classifier, or nobody knows how to prepare images.
  """
  require(
    weights.has_head,
    f'the teacher ({weights.origin}) has no classifier; {TRAIN_IT}',
  )
  require(
    weights.contract is not None,
    f'the teacher ({weights.origin}) does not say how images are prepared for it; '
    'import it first: --job=import --init=FILE --workdir=runs/teacher',
  )


def own_resolution(path: str, weights: Weights) -> int:
  """Px of the images that a network was last evaluated on."""
  folder = pathlib.Path(path).expanduser()
  stored = workdir.read_config(folder) if folder.is_dir() else None
  return weights.contract.resolution if stored is None else stored['resolution']


def is_embedder(weights: Weights) -> bool:
  """Whether a network has embeddings to give, and no logits."""
  return named.kind(weights.model['name']) == 'embeddings'


def width(weights: Weights) -> int:
  """How many numbers an embedding of a network has; of one image, by shapes alone."""
  model, side = named.create(**weights.model), weights.contract.resolution
  method = None if is_embedder(weights) else 'embed'
  image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
  call = functools.partial(model.apply, method=method)
  return jax.eval_shape(call, weights.variables, image).size


def answering(
  weights: Weights, mesh: Mesh, convert: Callable[[jax.Array], jax.Array]
) -> Callable[[Any], Answer]:
  """A jitted function from this process's images to the answers of a network.

  The images are split over this process's devices of the mesh. Norms are folded.
  Embeddings are (B, D), float32, whatever the head is. Of an embedder the logits are
  (B, 0): it names no classes.
  """
  devices = sharding.make_mesh(mesh.local_devices)
  embeds = is_embedder(weights)
  require(
    embeds or named.kind(weights.model['name']) == 'classification',
    f'{weights.origin} is no classifier and no embedder: only those answer for others',
  )
  model, variables = folding.fold(named.create(**weights.model), weights.variables)
  everywhere, over_devices = sharding.replicated(devices), sharding.split(devices)

  def answer(variables, images):
    if embeds:
      embedding = model.apply(variables, convert(images))
      return Answer(embedding[:, :0], embedding)
    logits, embedding = model.apply(variables, convert(images), method='answer')
    flat = embedding.reshape(len(embedding), -1)
    return Answer(logits, flat.astype(np.float32))

  jitted = jax.jit(
    answer,
    in_shardings=(everywhere, over_devices),
    out_shardings=over_devices,
  )
  return functools.partial(jitted, jax.device_put(variables, everywhere))


class Taught(Iterator):
  """Batches with answers; those for the next batch are computed while one is used.

  Args:
    batches: of images.
    answer: images -> answers, on a device.
    named: answers -> NumPy arrays by name; waits for them.
  """

  def __init__(
    self,
    batches,
    answer: Callable[[Any], Answer],
    named: Callable[..., dict[str, np.ndarray]],
  ):
    self._batches, self._answer, self._named = batches, answer, named
    self._next = None

  def __next__(self):
    batch, answers = self._next or self._asked()
    # Asked before these answers are waited for: a device then has the next ones to
    # compute, and the step that is running, and never waits for the host.
    self._next = self._asked()
    return {**batch, **self._named(*answers)}

  def _asked(self):
    batch = next(self._batches)
    return batch, self._answer(batch['image'])

  @property
  def corrupt(self) -> list[str]:
    return self._batches.corrupt

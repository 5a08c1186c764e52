"""A batch in parts is the step of the whole, also where parts weigh differently."""

import jax
import numpy as np
import optax
import pytest

from mobilenet.models import named
from mobilenet.models.initial import init_variables
from mobilenet.tasks.detection.task import Detection
from mobilenet.tasks.embeddings.task import Embeddings
from mobilenet.tasks.segmentation.task import Segmentation
from mobilenet.tasks.tags.task import Tags
from mobilenet.training import sharding, state
from mobilenet.training.step import make_train_step
from tests import tiny

SIZE = 32


TAGS = {'tags': np.array([[0, 1], [-1, -1], [1, -1], [1, 0]], np.float32)}
TAUGHT = np.random.default_rng(2).standard_normal((4, 128), np.float32)


def with_boxes():
  """Four pictures; the first of two parts has one box, the second three."""
  boxes = np.zeros((4, 2, 4), np.float32)
  classes = np.full((4, 2), -1, np.int32)
  boxes[:2, 0], classes[:2, 0] = (0.1, 0.1, 0.6, 0.7), 1
  boxes[3, :] = (0.0, 0.4, 0.5, 0.9), (0.5, 0.0, 0.9, 0.5)
  classes[3, :] = 0, 1
  return {'boxes': boxes, 'classes': classes, 'crowd': np.zeros((4, 2), bool)}


def with_masks():
  """Four masks; of the first of two parts a quarter counts."""
  masks = np.random.default_rng(1).integers(0, 2, (4, SIZE, SIZE)).astype(np.uint8)
  masks[::2, : SIZE // 2] = masks[::2, :, : SIZE // 2] = 255
  return {'segmentation': masks}


@pytest.mark.parametrize(
  ('task', 'network', 'marks'),
  [
    (Detection(), 'tiny_ssd', with_boxes()),
    (Segmentation(class_weights=(1.0, 3.0)), 'tiny_lraspp', with_masks()),
    # Their parts weigh the same: two programs more are for those who change that.
    pytest.param(Tags(weights=((1, 3), (2, 1))), 'tiny', TAGS, marks=pytest.mark.heavy),
    pytest.param(
      Embeddings(scale=4.0, features=0.5),
      'tiny_embedder',
      {'label': np.array([0, 1, 1, 0]), 'teacher_embeddings': TAUGHT},
      marks=pytest.mark.heavy,
    ),
  ],
  ids=['detection', 'segmentation', 'tags', 'embeddings'],
)
def test_two_parts_are_the_whole(task, network, marks):
  with tiny.patched():
    model = named.create(network, num_classes=2, norm=False)
    images = np.random.default_rng(0).standard_normal((4, SIZE, SIZE, 3), np.float32)
    variables = init_variables(model, (SIZE, SIZE, 3), 0)
    mesh, tx = sharding.make_mesh(), optax.sgd(1.0)
    batch, found = sharding.put(mesh, {'image': images, **marks}), []
    for parts in (1, 2):
      step = make_train_step(
        model, task, tx, mesh, seed=0, ema_decay=None, accumulate=parts
      )
      before = state.create(
        jax.tree.map(np.copy, variables), tx, task.zero_sums(), ema=False
      )
      # A copy of each: a step may not be given one buffer twice.
      before = jax.tree.map(np.array, before)
      before = jax.device_put(before, sharding.replicated(mesh))
      after, told = step(before, batch)
      found.append(jax.device_get((after.variables['params'], told['loss'])))
  (whole, loss), (in_parts, their_loss) = found
  assert their_loss == pytest.approx(loss, rel=1e-5)
  moved = 0.0
  for ours, theirs, start in zip(
    *map(jax.tree.leaves, (whole, in_parts, variables['params'])), strict=True
  ):
    largest = np.abs(ours - start).max()
    moved = max(moved, largest)
    np.testing.assert_allclose(theirs, ours, atol=1e-4 * largest + 1e-7)
  assert moved > 1e-3

"""The detection task: its loss, sums and predictions of a batch."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from mobilenet.models import boxes as geometry
from mobilenet.models.detectors import Boxes
from mobilenet.tasks.detection import task
from mobilenet.training.errors import TrainingError

ANCHORS = np.array(
  [[0.25, 0.25, 0.3, 0.3], [0.7, 0.7, 0.4, 0.4], [0.25, 0.75, 0.3, 0.3]], np.float32
)


def corners(number):
  y, x, h, w = ANCHORS[number]
  return [y - h / 2, x - w / 2, y + h / 2, x + w / 2]


def batch(**changes):
  """Two pictures, the first with the first and the last class, the second with none."""
  boxes = np.zeros((2, 3, 4), np.float32)
  boxes[0, :2] = corners(0), corners(1)
  classes = np.full((2, 3), -1, np.int32)
  classes[0, :2] = 0, 2
  return {
    'boxes': boxes,
    'classes': classes,
    'crowd': np.zeros((2, 3), bool),
    **changes,
  }


@functools.cache
def right_codes():
  boxes = np.array([corners(n) for n in range(3)], np.float32)
  return np.asarray(jax.jit(geometry.encode)(np.stack([boxes, boxes]), ANCHORS))


def outputs(logits):
  """What a detector says that has every box right."""
  return Boxes(right_codes(), np.asarray(logits, np.float32), ANCHORS)


# Compiled as a whole, as in training: each operation alone takes as long.
loss_of = jax.jit(lambda task, out, batch: task.loss({}, out, batch), static_argnums=0)
sums_of = jax.jit(task.Detection.sums, static_argnums=0)
predicted = jax.jit(task.Detection.predictions, static_argnums=0)


def sure():
  """Logits of the truth: classes 0 and 2, and nothing else."""
  logits = np.full((2, 3, 4), -9.0)
  logits[:, :, 0] = 9
  logits[0, 0], logits[0, 1] = [-9, 9, -9, -9], [-9, -9, -9, 9]
  return logits


@pytest.mark.parametrize('kind', [task.FOCAL, task.HARD_NEGATIVES])
def test_what_is_right_costs_little_and_is_predicted(kind):
  detection = task.Detection(class_loss=kind, least_score=0.2)
  logits = sure()
  if kind == task.FOCAL:
    logits[:, :, 0] = -9  # of a sigmoid the background's target is 0
  found = outputs(logits)
  loss = float(loss_of(detection, found, batch()))
  assert 0 <= loss < 0.01
  worse = float(loss_of(detection, outputs(0 * logits), batch()))
  assert worse > 10 * loss
  said = jax.device_get(predicted(detection, found))
  assert (said['found_scores'] > 0.2).sum(axis=1).tolist() == [2, 0]
  assert sorted(said['found_classes'][0, :2].tolist()) == [0, 2]
  first = said['found_boxes'][0, said['found_classes'][0].tolist().index(0)]
  np.testing.assert_allclose(first, corners(0), atol=1e-5)


def test_sums_are_per_anchor_that_finds_a_box():
  detection = task.Detection()
  sums = sums_of(detection, outputs(np.zeros((2, 3, 4))), batch())
  assert (float(sums['positives']), float(sums['count'])) == (2, 2)
  metrics = detection.metrics(sums)
  loss = float(loss_of(detection, outputs(np.zeros((2, 3, 4))), batch()))
  assert metrics['loss'] == pytest.approx(loss, rel=1e-6)
  assert metrics['box_loss'] == pytest.approx(0, abs=1e-6)


def test_padding_brings_in_nothing():
  detection = task.Detection()
  logits = np.zeros((2, 3, 4))
  whole = sums_of(detection, outputs(logits), batch(mask=np.array([1.0, 0.0])))
  logits[1] = np.nan
  broken = sums_of(detection, outputs(logits), batch(mask=np.array([1.0, 0.0])))
  for name, value in whole.items():
    assert float(broken[name]) == float(value)
  assert float(whole['count']) == 1


def test_pictures_without_boxes_teach_and_have_finite_gradients():
  detection = task.Detection()
  empty = batch(classes=np.full((2, 3), -1, np.int32))

  def loss(logits):
    return detection.loss({}, outputs(0)._replace(logits=logits), empty)

  logits = np.zeros((2, 3, 4), np.float32)
  value, gradient = jax.jit(jax.value_and_grad(loss))(logits)
  assert float(value) > 0
  assert np.isfinite(gradient).all()
  assert np.abs(gradient).max() > 0


def test_empty_sums_have_no_loss():
  detection = task.Detection()
  assert all(np.isnan(v) for v in detection.metrics(detection.zero_sums()).values())


@pytest.mark.parametrize(
  ('field', 'line'),
  [
    ({'class_loss': 'fokal'}, 'must be focal or hard_negatives'),
    ({'most': 400}, 'from 1 to detection.candidates=300'),
    ({'overlap': 0.0}, 'above 0'),
  ],
)
def test_wrong_fields(field, line):
  with pytest.raises(TrainingError, match=line):
    dataclasses.replace(task.Detection(), **field)

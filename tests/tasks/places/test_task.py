"""Places: classification of cells, judged by distance."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from input_pipeline import cells
from mobilenet.tasks.classification.task import Classification
from mobilenet.tasks.places.distances import haversine
from mobilenet.tasks.places.task import Places
from mobilenet.training.errors import TrainingError

PARIS, QUITO, ULURU = (48.8584, 2.2945), (-0.2202, -78.5123), (-25.344, 131.036)
NAMES = cells.partition(
  np.array([PARIS, QUITO, ULURU]), cells.Partition(1, 1, 4, highest_level=4)
)
CENTRES = cells.centres(NAMES)
TASK = Places().knowing(NAMES)


def batch(labels, positions):
  count = len(labels)
  return {
    'label': jnp.asarray(labels, jnp.int32),
    'position': np.asarray(positions, np.float32),
    'mask': jnp.ones(count),
  }


def measured(answers, labels, positions, task=TASK):
  own = batch(labels, positions)
  logits = jnp.asarray(5 * np.eye(3)[answers], jnp.float32)
  sums = jax.device_get(task.sums(logits, own))
  kept = jax.device_get(task.kept(logits, own)) | {'position': own['position']}
  return task.finish(task.metrics(sums), kept), sums


def test_at_the_centre_of_a_cell_the_distance_is_none():
  metrics, _ = measured([0, 1, 2], [0, 1, 2], CENTRES)
  assert metrics['within_1_km'] == metrics['top1'] == 100
  assert metrics['median_km'] < 0.002  # what float32 leaves of degrees


def test_a_photo_in_no_cell_counts_by_its_distance_alone():
  there = CENTRES[0] + [1.0, 0.0]  # 111 km to the north
  metrics, sums = measured([0, 1, 0], [0, 1, -1], [CENTRES[0], CENTRES[1], there])
  assert (sums['count'], sums['in_cells']) == (3, 2)
  assert metrics['top1'] == 100
  assert metrics['loss'] == pytest.approx(np.log(1 + 2 * np.exp(-5)), rel=1e-4)
  assert metrics['within_25_km'] == pytest.approx(200 / 3)
  assert metrics['within_200_km'] == 100


def test_the_shares_by_hand():
  # The second photo is answered by the cell of the first, thousands of km away.
  metrics, _ = measured([0, 0], [0, 1], [CENTRES[0], CENTRES[1]])
  for radius in (1, 25, 200, 750, 2500):
    assert metrics[f'within_{radius}_km'] == 50
  assert metrics['median_km'] == pytest.approx(haversine(*CENTRES[:2]) / 2, rel=1e-3)
  assert metrics['top1'] == 50


def test_nothing_to_measure_is_no_number():
  metrics = TASK.finish(TASK.metrics(TASK.zero_sums()), {})
  assert np.isnan([metrics['within_200_km'], metrics['median_km']]).all()


def test_a_diverged_network_has_no_number():
  own = batch([0, 1], CENTRES[:2])
  logits = jnp.asarray([[1.0, 0, 0], [np.nan] * 3])
  kept = jax.device_get(TASK.kept(logits, own)) | {'position': own['position']}
  metrics = TASK.finish({}, kept)
  assert np.isnan(list(metrics.values())).all()


def test_the_loss_is_classifications():
  own = batch([0, 2], [PARIS, ULURU])
  logits = jnp.asarray([[1.0, 0.5, -2], [0.2, 0.1, 0.7]])
  for smoothing in (0.0, 0.1):
    ours, theirs = (
      of(label_smoothing=smoothing).loss({}, logits, own)
      for of in (Places, Classification)
    )
    assert float(ours) == float(theirs)


def test_the_metric_that_counts_is_a_choice():
  assert Places().metric.name == 'within_200_km'
  assert Places(metric_km=25).metric.title == 'Within 25 km (city)'
  with pytest.raises(TrainingError, match=r'metric_km=30: it is one of 1, 25, 200'):
    Places(metric_km=30)


def source(**known):
  known = {'name': 'places', 'class_names': NAMES, 'labels': (0, 1), **known}
  return types.SimpleNamespace(**known, split='train+val')


@pytest.mark.parametrize(
  ('known', 'message'),
  [
    ({'name': 'folder'}, r'folder does not say where .* --config\.data\.name=places'),
    ({'class_names': ()}, r'make 0 cells, .* lower them, or give more photos'),
    ({'class_names': NAMES[:1]}, 'make 1 cell, and it takes two'),
  ],
)
def test_data_that_cannot_be_learned_from(known, message):
  Places().check_training(source(), '--split')
  with pytest.raises(TrainingError, match=message):
    Places().check_training(source(**known), '--split')


def test_training_needs_photos_in_cells():
  assert Places().for_training(source()) == TASK
  with pytest.raises(TrainingError, match=r'1 photos of train\+val lie in no cell'):
    Places().for_training(source(labels=(0, -1)))

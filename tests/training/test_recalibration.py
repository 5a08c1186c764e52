"""Recalibrated norms: exact over all images, whatever the running statistics were."""

import dataclasses

import jax
import numpy as np
import pytest

from mobilenet.models.classifier import Classifier
from mobilenet.training import recalibration, sharding
from tests.devices import first
from tests.tiny import NETWORK
from tests.training.conftest import CLASSES, Run, examples

STYLE = dataclasses.replace(NETWORK.style, norm_momentum=0.0)
MODEL = Classifier(dataclasses.replace(NETWORK, style=STYLE), CLASSES)


@pytest.fixture(scope='module')
def variables():
  """Those of the tiny network, with statistics that fit nothing."""
  drawn = Run().variables()
  return {**drawn, 'batch_stats': jax.tree.map(lambda x: x + 7, drawn['batch_stats'])}


def recalibrated(variables, images, batch_size, devices=1):
  told = []
  mesh = sharding.make_mesh(first(devices))
  batches = (images[n : n + batch_size] for n in range(0, len(images), batch_size))
  found = recalibration.recalibrate(MODEL, variables, batches, mesh, told.append)
  assert told == [batch_size] * (len(images) // batch_size)
  return found


def first_norm(statistics):
  return statistics['backbone']['stem']['norm']


def test_the_first_norm_is_exact_over_all_images(variables):
  images, _ = examples(24, 5)
  images[:8] += 3  # batches differ: their variances alone would be too small
  kernel = variables['params']['backbone']['stem']['conv']['kernel']
  convolved = jax.lax.conv_general_dilated(
    images, kernel, (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  values = np.asarray(convolved, np.float64).reshape(-1, convolved.shape[-1])
  for batch_size in (4, 8, 24):
    found = first_norm(recalibrated(variables, images, batch_size))
    np.testing.assert_allclose(found['mean'], values.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found['var'], values.var(0, ddof=1), rtol=1e-4)


def test_every_norm_takes_over_one_batch_as_it_is(variables):
  images, _ = examples(8, 5)
  found = recalibrated(variables, images, 8)
  _, updated = MODEL.apply(variables, images, train=True, mutable=['batch_stats'])
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    found,
    updated['batch_stats'],
  )
  assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(np.float32)}


def test_several_devices_give_the_same(variables):
  images, _ = examples(16, 5)
  one, four = (recalibrated(variables, images, 8, devices) for devices in (1, 4))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), one, four
  )

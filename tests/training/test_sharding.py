"""Batches on the device share the pipeline's memory, which must stay theirs."""

import itertools

import numpy as np

import input_pipeline
from mobilenet.training import sharding


def test_batches_on_the_device_outlive_the_pipelines():
  """Each is alive while later ones are read, after its host array is gone."""
  source = input_pipeline.open_source('made', 'train', made_examples=64, made_size=32)
  batches = input_pipeline.train_batches(
    source, ops='flip|value_range(-1, 1)', batch_size=32, seed=0, prefetch=4
  )
  mesh = sharding.make_mesh()
  on_device, copies = [], []
  for batch in itertools.islice(batches, 24):
    copies.append({name: array.copy() for name, array in batch.items()})
    on_device.append(sharding.put(mesh, batch))
  del batch
  next(batches)
  for arrays, copy in zip(on_device, copies, strict=True):
    for name, array in arrays.items():
      np.testing.assert_array_equal(array, copy[name], err_msg=name)

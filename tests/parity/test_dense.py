"""Random detectors and segmenters of torchvision compute the same here, and go back."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mobilenet.weights import exporting
from tests.parity import dense, frameworks, measuring, round_trip, torch_models

pytestmark = pytest.mark.parity

TOLERANCE = 1e-4  # of the largest value


@pytest.fixture(scope='module', params=dense.CASES, ids=lambda c: f'{c} {c.outputs}')
def prepared(request):
  """A network there and what was loaded of it; all tests of one case share it."""
  if reason := frameworks.missing('torchvision'):
    pytest.skip(reason)
  with tempfile.TemporaryDirectory() as folder:
    yield dense.prepare(request.param, Path(folder))


def test_the_network_is_recognised_from_both_files(prepared):
  case, (first, other) = prepared.case, prepared.loaded
  assert first.model == other.model
  assert first.model['name'] == case.network
  assert first.model['num_classes'] == case.outputs - case.is_detector
  first, other = measuring.flat(first), measuring.flat(other)
  for name, value in first.items():
    np.testing.assert_array_equal(other[name], value, err_msg=name)


def test_answers_are_equal(prepared):
  for each in dense.measure(prepared):
    assert each.difference <= TOLERANCE, each
    # Otherwise hardly anything was compared.
    assert each.between_images > 0.02, each


def test_the_way_back_is_exact(prepared, tmp_path):
  path = tmp_path / 'exported.safetensors'
  lines = exporting.export(prepared.loaded[0], 'torchvision', path)
  lines = [line for line in lines if line.startswith('model')]
  model = round_trip.run_lines(lines, tmp_path)
  there = torch_models.arrays_of(prepared.model)
  back = torch_models.arrays_of(model)
  assert back.keys() == there.keys()
  for name, value in back.items():
    np.testing.assert_array_equal(value, there[name], err_msg=name)
  images = measuring.images(prepared.case.size)
  again = dense.theirs(prepared._replace(model=model.eval()), images)
  for name, value in dense.theirs(prepared, images).items():
    np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('change', [{'padding': 'tf'}, {'norm_epsilon': 1e-2}])
def test_a_wrong_option_would_be_seen(prepared, change):
  if prepared.case.outputs not in (91, 21):
    pytest.skip('one size of each is enough')

  def other(weights):
    return dataclasses.replace(weights, model={**weights.model, **change})

  assert all(each.difference > 1e-3 for each in dense.measure(prepared, other))

"""Random networks of other frameworks compute the same here, and go back unchanged."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.parity import frameworks, measuring, round_trip
from tests.parity.cases import CASES

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings(frameworks.KERAS_WARNING),
]

TOLERANCE = 1e-4  # of the largest logit
EXPORTED = 2e-5  # as ONNX; resnet50 has 1.0e-5 there, and 7e-6 from its own file


def name_of(case):
  return str(case).replace('=', ':')  # which pytest's -k takes


@pytest.fixture(scope='module', params=CASES, ids=name_of)
def prepared(request):
  """A network there and what was loaded of it; all tests of one case share it."""
  if reason := frameworks.missing(request.param.framework):
    pytest.skip(reason)
  with tempfile.TemporaryDirectory() as folder:
    yield measuring.prepare(request.param, Path(folder))


def test_the_network_is_recognised_from_the_file(prepared):
  case = prepared.case
  for weights in prepared.loaded:
    model = weights.model
    assert (model['name'], model['width']) == (case.network, case.width)
    assert model['padding'] == case.padding
    assert weights.has_head
    background = case.framework == 'slim'
    assert weights.contract.label_offset == background
    assert model['num_classes'] == case.classes - background


def test_every_format_holds_the_same_arrays(prepared):
  first, *others = [measuring.flat(weights) for weights in prepared.loaded]
  for other in others:
    assert other.keys() == first.keys()
    for name, value in first.items():
      np.testing.assert_array_equal(other[name], value, err_msg=name)


def test_logits_are_equal(prepared):
  of_graph = prepared.case.files[0] == '.onnx'
  for measured in measuring.measure(prepared):
    assert measured.difference <= (EXPORTED if of_graph else TOLERANCE), measured
    # Otherwise hardly anything was compared.
    assert measured.between_images > 0.02, measured


def test_the_way_back_is_exact(prepared, tmp_path):
  case, weights = prepared.case, prepared.loaded[0]
  if case.framework not in round_trip.TARGETS:
    pytest.skip(f'nothing is exported to {case.framework}')
  back = round_trip.export_and_load(case, weights, tmp_path)
  there = prepared.theirs.arrays()
  assert back.arrays.keys() == {n for n in there if not n.startswith('aux')}
  for name, value in back.arrays.items():
    np.testing.assert_array_equal(value, there[name], err_msg=name)
  images = measuring.images(case.sizes[0], raw=case.raw)
  given = measuring.scaled(weights, images) if case.raw else images
  np.testing.assert_allclose(
    back.logits(given), prepared.theirs.logits(images), rtol=1e-5, atol=1e-5
  )
  again, before = (measuring.flat(w) for w in (back.weights, weights))
  assert again.keys() == before.keys()
  for name, value in before.items():
    np.testing.assert_array_equal(again[name], value, err_msg=name)
  assert back.weights.model == weights.model


@pytest.mark.parametrize(
  ('change', 'least'), [({'padding': 'tf'}, 1e-2), ({'norm_epsilon': 1e-3}, 1e-4)]
)
def test_a_wrong_option_would_be_seen(tmp_path, change, least):
  if reason := frameworks.missing('timm'):
    pytest.skip(reason)
  (case,) = (case for case in CASES if case.constructor == 'mobilenetv3_small_100')
  prepared = measuring.prepare(case, tmp_path)
  (weights,) = prepared.loaded
  wrong = dataclasses.replace(weights, model={**weights.model, **change})
  changed = dataclasses.replace(prepared, loaded=(wrong,))
  even = measuring.measure(changed)[1]  # at odd sizes both paddings are one
  assert even.size % 2 == 0
  assert even.difference > least

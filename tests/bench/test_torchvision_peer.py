"""torchvision's detector makes steps on the made boxes, and finds some."""

import dataclasses
import importlib.util

import numpy as np
import pytest

from mobilenet.bench import measure, worker
from mobilenet.bench.contenders import Model

MODEL = Model('ssdlite_mobilenet_v3_large_torchvision')
NEEDED = ('torch', 'torchvision')
pytestmark = [
  pytest.mark.parity,
  pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED),
    reason='pip install -r requirements-parity.txt',
  ),
]


@pytest.fixture
def prepared(settings):
  """(mode) -> what the peer prepares, and what it says of itself."""

  def prepare(mode):
    asked = dataclasses.replace(settings, batch=2, resolution=320)
    server = worker.Server(measure.make_spec('torchvision', MODEL, mode, asked))
    return server, server.prepare()

  return prepare


def test_a_step_changes_what_found_boxes(prepared, monkeypatch):
  import torch

  given = []
  sgd = torch.optim.SGD

  def spied(parameters, **options):
    given.extend(parameters)
    return sgd(given, **options)

  monkeypatch.setattr(torch.optim, 'SGD', spied)
  server, told = prepared('train')
  assert told['parameters'] == 3_440_060  # as ours
  before = [parameter.detach().clone() for parameter in given]
  server.prepared.run()
  pairs = list(zip(before, given, strict=True))
  # The boxes' heads of coarse maps have no gradient: no made box is so large.
  assert sum(not torch.equal(*pair) for pair in pairs) > 0.8 * len(pairs)
  assert all(bool(torch.isfinite(parameter).all()) for parameter in given)
  assert told['versions'].keys() == {'python', 'torch', 'torchvision'}


def test_inference_gives_a_box_and_scores_for_each_anchor(prepared):
  server, _ = prepared('infer')
  boxes, scores = server.prepared.run()
  assert [tuple(each.shape) for each in boxes] == [(3234, 4)] * 2
  assert tuple(scores.shape) == (2, 3234, 91)
  np.testing.assert_allclose(scores.sum(-1).numpy(), 1.0, atol=1e-4)

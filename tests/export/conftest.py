"""Small networks with lively weights, as they are exported."""

import dataclasses
from unittest import mock

import jax
import numpy as np
import pytest

from mobilenet.export.program import Program
from mobilenet.models import folding, zoo
from mobilenet.models.classifier import Classifier
from mobilenet.models.initial import init_variables
from mobilenet.weights.contract import Contract
from tests.export.programs import NETWORKS
from tests.tiny import NETWORK

SIDE = 32
NAMES = ('daisy', 'dog rose', 'Löwenzahn')


@pytest.fixture(scope='session')
def made() -> Program:
  """The program of a network of three rows, with norms that do something."""
  model = Classifier(NETWORK, len(NAMES))
  drawn = init_variables(model, (SIDE, SIDE, 3), 0)
  rng = np.random.default_rng(0)
  variables = jax.tree.map(
    lambda leaf: np.asarray(leaf) + rng.uniform(0, 0.2, leaf.shape).astype(np.float32),
    drawn,
  )
  model, variables = folding.fold(model, variables)
  return Program(
    model=model,
    variables=jax.tree.map(np.asarray, variables),
    resolution=SIDE,
    contract=Contract(
      mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize='short_side'
    ),
    class_names=NAMES,
    origin='a network of three rows',
    architecture={'name': 'tiny', 'width': 1.0, 'num_classes': len(NAMES)},
    decision={
      'temperature': 2.0,
      'accept': 0.4,
      'positive': '',
      'threshold': None,
      'of': 'val',
      'num_examples': 30,
      'step': 7,
    },
  )


@pytest.fixture(scope='session')
def images(made) -> np.ndarray:
  """Prepared, of whole levels as photos have them."""
  pixels = np.random.default_rng(1).integers(0, 256, (5, SIDE, SIDE, 3))
  levels = Contract(mean=(0.0,) * 3, std=(1 / 255,) * 3)
  return levels.renormalised(pixels.astype(np.float32), made.contract)


@pytest.fixture(scope='session')
def logits(made, images) -> np.ndarray:
  return np.asarray(made.function()(images))


@pytest.fixture(scope='session')
def probable(made) -> Program:
  return dataclasses.replace(made, answer='probabilities')


@pytest.fixture(autouse=True)
def small_networks():
  """Networks of a few rows under names of their own, as files name theirs."""
  with mock.patch.dict(zoo.NETWORKS, NETWORKS):
    yield

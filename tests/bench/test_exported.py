"""Exported files, and Google's network converted, as contenders."""

import jax
import numpy as np
import pytest

from mobilenet.bench import exported, measure, recipe
from mobilenet.bench.contenders import CONTENDERS, KERAS, ONE_IMAGE, Model
from mobilenet.export import formats
from mobilenet.models import zoo
from mobilenet.models.initial import init_variables
from tests.tiny import NETWORK

# The difference, of the largest logit, is at least and less than: integers do round.
DIFFERENCE = {'onnxruntime': (0, 1e-5), 'tflite_int8': (1e-3, 0.1)}


def need(*packages):
  for package in packages:
    module = package.replace('-', '_')
    pytest.importorskip(module, reason=f'{package}: requirements-export.txt')


@pytest.mark.parametrize('contender', list(DIFFERENCE))
def test_a_file_of_the_network_is_what_is_timed(contender, monkeypatch, settings):
  need(*exported.FILES[contender].packages)
  monkeypatch.setitem(zoo.NETWORKS, 'tiny', NETWORK)
  spec = measure.make_spec(contender, Model('tiny'), 'latency', settings)
  prepared = exported.prepare(spec | {'num_classes': 10})

  model = zoo.create('tiny', num_classes=10)
  variables = init_variables(model, (32, 32, 3), recipe.SEED)
  images, _ = recipe.made_batch(spec)
  wanted = np.asarray(model.apply(variables, images, train=False))
  found = prepared.run()
  assert found.shape == wanted.shape == (1, 10)
  least, most = DIFFERENCE[contender]
  assert least <= np.abs(found - wanted).max() / np.abs(wanted).max() < most
  # As the other contenders count: with the norms that the file has no more.
  assert prepared.parameters == sum(
    leaf.size for leaf in jax.tree.leaves(variables['params'])
  )
  assert set(prepared.versions) == {'python', *exported.FILES[contender].packages}
  assert prepared.platform == 'cpu'


def test_every_exported_contender_is_a_file_that_can_be_written():
  named = {n for n, c in CONTENDERS.items() if c.module == exported.__name__}
  assert named == set(exported.FILES)
  for name, file in exported.FILES.items():
    assert file.precision in formats.FORMATS[file.format].precisions()
    assert file.runtime in formats.FORMATS[file.format].runtimes
    assert name.endswith('int8') == (file.precision == 'int8')
    assert CONTENDERS[name].modes == ONE_IMAGE
    assert CONTENDERS[name].install == 'pip install -r requirements-export.txt'


@pytest.mark.heavy
@pytest.mark.parametrize('contender', ['keras_tflite', 'keras_tflite_int8'])
def test_googles_network_is_converted(contender, settings):
  need('keras', 'tensorflow', 'ai-edge-litert')
  assert CONTENDERS[contender].names is KERAS
  spec = measure.make_spec(contender, Model('mobilenet_v1', 0.25), 'latency', settings)
  with measure.start(spec, settings) as worker:
    prepared = worker.ask('prepare')
    times = worker.ask('time', repeats=3)
  model = zoo.create('mobilenet_v1', width=0.25)
  variables = init_variables(model, (32, 32, 3), recipe.SEED)
  leaves = jax.tree.leaves(variables['params'])
  assert prepared['parameters'] == sum(leaf.size for leaf in leaves)
  assert {'keras', 'tensorflow', 'ai-edge-litert'} <= set(prepared['versions'])
  assert all(ms > 0 for ms in times['processor_ms'])

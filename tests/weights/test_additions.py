"""Biases before batch norms, and none where ours has one: the same numbers."""

import numpy as np
import pytest

from mobilenet.weights import additions, dialects
from mobilenet.weights.recognition import recognise
from mobilenet.weights.weight_file import WeightFile
from tests.weights.made_weights import of_source, same_variables, source, their_file

EPSILON = 1e-3


def norm(x, norm):
  factor = norm['scale'] / np.sqrt(norm['var'] + EPSILON)
  return (x - norm['mean']) * factor + norm['bias']


@pytest.mark.parametrize('dialect', ['torch', 'keras', 'slim'])
def test_a_bias_before_a_norm_moves_its_mean(dialect):
  rng = np.random.default_rng(0)
  bias, x = rng.normal(size=4).astype(np.float32), rng.normal(size=(9, 4))
  arrays = {a: rng.uniform(0.5, 1.5, 4).astype(np.float32) for a in ('scale', 'var')}
  arrays |= {a: rng.normal(size=4).astype(np.float32) for a in ('bias', 'mean')}
  names = {a: dialects.theirs(dialect, 'norm', a, 'bn') for a in arrays}
  tensors = {names[a]: value for a, value in arrays.items()}
  tensors[dialects.theirs(dialect, 'conv', 'bias', 'conv')] = bias
  pairs = [('backbone/stem/conv', 'conv'), ('backbone/stem/norm', 'bn')]
  (note,) = additions.complete(dialect, tensors, pairs)
  assert note == (
    'the biases of 1 convolution went into the means of their batch norms, which '
    'is equivalent'
  )
  assert tensors.keys() == set(names.values())
  after = norm(x, {a: tensors[name] for a, name in names.items()})
  np.testing.assert_allclose(after, norm(x + bias, arrays), rtol=1e-5, atol=1e-6)


def test_only_the_norm_of_a_convolution_takes_its_bias():
  """Attention's norm stands before what is projected; a classifier's after none."""
  pairs = [
    ('backbone/block_29/norm', 'attn.norm'),
    ('backbone/block_29/query', 'attn.query'),
    ('head/norm', 'norm_head'),
    ('head/classifier', 'classifier'),
  ]
  tensors = {f'{name}.bias': np.ones(4, np.float32) for _, name in pairs}
  for name in ('attn.norm', 'norm_head'):
    tensors[f'{name}.running_mean'] = np.zeros(4, np.float32)
  tensors['classifier.weight'] = np.ones((4, 4), np.float32)
  before = dict(tensors)
  assert additions.complete('torch', tensors, pairs) == []
  assert tensors == before


@pytest.mark.parametrize(
  ('framework', 'network'),
  [('timm', 'mobilenet_v1'), ('keras.applications', 'mobilenet_v1')],
)
def test_a_whole_network_with_biases(framework, network):
  of = source(framework, network)
  weights = of_source(of, width=0.25)
  file = their_file(weights, of)
  tensors, moved = dict(file.tensors), 0
  for name, value in file.tensors.items():
    layer, array = dialects.split(of.dialect, name)
    if array in ('running_mean', 'mean'):
      # The layer before this one, in the names of both frameworks.
      conv = {
        'bn1': 'conv_stem' if layer == 'bn1' else layer.replace('bn1', 'conv_dw'),
        'bn2': layer.replace('bn2', 'conv_pw'),
      }.get(layer.rpartition('.')[2], layer.removesuffix('_bn'))
      tensors[dialects.theirs(of.dialect, 'conv', 'bias', conv)] = 0.25 * value
      tensors[name] = 1.25 * value
      moved += 1
  assert moved == 27
  fitted = recognise(WeightFile(file.path, of.dialect, tensors))
  (note,) = fitted.notes
  assert note.startswith('the biases of 27 convolutions went into the means')
  statistics = fitted.variables['batch_stats'], weights.variables['batch_stats']
  for mine, theirs in zip(*map(flat, statistics), strict=True):
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)
  assert same_variables(fitted.variables['params'], weights.variables['params'])


def flat(node):
  if not isinstance(node, dict):
    return [node]
  return [leaf for key in sorted(node) for leaf in flat(node[key])]

"""Values as bytes: scales, observed ranges, and the integers of a TFLite file."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.export import (
  adapted,
  calibration,
  errors,
  fake_quantisation,
  formats,
  quantised,
)
from mobilenet.export import graph as graphs
from mobilenet.export.graph import Graph, Node
from mobilenet.export.quantised import Quantised


@pytest.fixture(scope='module')
def graph(made):
  return graphs.of_program(made, 'test')


@pytest.fixture(scope='module')
def rounded(graph, images):
  return Quantised(graph, calibration.observe(graph, [images]).of)


# ---- scales -------------------------------------------------------------------------


@pytest.mark.parametrize(('low', 'high'), [(-1, 3), (0.5, 2), (-4, -1), (0, 0)])
def test_a_range_has_zero_and_both_ends(low, high):
  how = fake_quantisation.of_range(low, high)
  values = np.linspace(min(low, 0), max(high, 0), 100, dtype=np.float32)
  kept = np.asarray(fake_quantisation.rounded(values, how))
  assert np.abs(kept - values).max() <= how.scale * 0.501 + 1e-7
  assert fake_quantisation.rounded(np.zeros(1, np.float32), how)[0] == 0
  assert len(np.unique(kept)) <= 256
  far = fake_quantisation.rounded(np.float32([-100, 100]), how)
  assert far[0] >= min(low, 0) - how.scale - 1e-7
  assert far[1] <= max(high, 0) + how.scale + 1e-7


def test_a_range_that_ends_at_six_does_not_reach_beyond():
  """Else onnxruntime keeps the ReLU6, and its build for browsers fails on it."""
  how = fake_quantisation.of_range(0.0, 6.0)
  assert np.float32(how.scale) * np.float32(255) <= 6
  assert how.scale > 6 / 255.01


def test_each_channel_of_a_kernel_has_its_own_scale():
  kernel = np.random.default_rng(0).standard_normal((3, 3, 4, 5), np.float32)
  kernel *= np.float32([1e-3, 1, 10, 1000, 0])
  how = fake_quantisation.of_kernel(kernel)
  kept = np.asarray(fake_quantisation.rounded(kernel, how))
  error = np.abs(kept - kernel).max(axis=(0, 1, 2))
  assert (error <= np.abs(kernel).max(axis=(0, 1, 2)) / 254 + 1e-12).all()


def test_a_composite_is_its_rounding():
  x = np.random.default_rng(0).standard_normal((4, 6), np.float32)
  for how in (fake_quantisation.of_range(-1, 1), fake_quantisation.of_kernel(x)):
    np.testing.assert_array_equal(
      fake_quantisation.composite(jnp.asarray(x), how),
      fake_quantisation.rounded(jnp.asarray(x), how),
    )


# ---- ranges -------------------------------------------------------------------------


def test_one_stray_batch_widens_no_range(graph, images):
  usual = calibration.observe(graph, [images] * 3).of
  stray = calibration.observe(graph, [images, images * 100, images]).of
  assert usual == stray


def node(name, op, *inputs, shape=(1, 4, 4, 2), **how):
  return Node(name, op, inputs, how, shape)


def small(*nodes):
  return Graph(nodes, {}, 'images', (nodes[-1].name,), (4, 4, 2))


def test_what_moves_values_keeps_their_range():
  pool = {'kernel': (2, 2), 'stride': (2, 2), 'padding': ((0, 0), (0, 0))}
  graph = small(
    node('a', 'relu', 'images'),
    node('b', 'hard_swish', 'images'),
    node('c', 'concat', 'a', 'b', axis=3, shape=(1, 4, 4, 4)),
    node('d', 'max_pool', 'c', shape=(1, 2, 2, 4), **pool),
    node('e', 'softmax', 'd', shape=(1, 2, 2, 4)),
  )
  images = np.random.default_rng(0).standard_normal((2, 4, 4, 2), np.float32)
  found = calibration.observe(graph, [images]).of
  assert found['a'] == found['b'] == found['c'] == found['d']
  assert found['a'][0] == pytest.approx(-0.375, abs=0.1)
  assert found['a'][1] == pytest.approx(images.max())
  assert found['e'] == calibration.SOFTMAX
  assert found['images'] == (pytest.approx(images.min()), pytest.approx(images.max()))


def test_what_a_hard_sigmoid_clips_has_no_range(graph, rounded):
  squeezed = calibration.clipped_by_sigmoid(graph)
  assert len(squeezed) == 1
  assert not squeezed & rounded.ranges.keys()
  assert {n.name for n in graph.nodes} - squeezed <= rounded.ranges.keys()


def test_images_that_are_none_or_no_numbers(graph, images):
  with pytest.raises(errors.ExportError, match='give --data_dir=photos'):
    calibration.observe(graph, [])
  with pytest.raises(errors.ExportError, match='values that are no numbers'):
    calibration.observe(graph, [images * np.nan])


# ---- the rounded network ------------------------------------------------------------


def test_rounding_changes_little_and_something(rounded, images, logits):
  answers = np.asarray(jax.jit(rounded.function())(images))
  difference = np.abs(answers - logits).max() / np.abs(logits).max()
  assert 1e-5 < difference < 0.1


def test_nothing_rounded_is_the_network(graph, images, logits):
  answers = Quantised(graph).function()(images)
  np.testing.assert_allclose(answers, logits, rtol=1e-4, atol=1e-5)


def test_noise_is_told_of_every_value(rounded, images):
  rows = quantised.signal_to_noise(rounded, images)
  assert [row[0] for row in rows] == [n.name for n in rounded.graph.nodes]
  assert all(10 < decibels < 90 for _, _, decibels in rows)


def test_the_value_of_the_coarsest_scale_is_the_most_sensitive(rounded, images):
  name = rounded.graph.nodes[-2].name
  low, high = rounded.ranges[name]
  coarse = dataclasses.replace(
    rounded, ranges={**rounded.ranges, name: (50 * low, 50 * high)}
  )
  found = quantised.sensitivities(coarse, images)
  assert found[0][0] == name
  assert len(found) == len(rounded.ranges)
  assert found[0][1] < found[1][1]


@pytest.mark.parametrize('op', ['conv', 'pool'])
def test_the_rewritten_graph_is_the_same_function(op, graph, images):
  if op == 'pool':
    how = {'kernel': (3, 3), 'stride': (2, 2), 'padding': ((1, 1), (0, 1))}
    graph = Graph(
      (node('pool', 'average_pool', 'images', shape=(1, 16, 16, 3), **how),),
      {},
      'images',
      ('pool',),
      images.shape[1:],
    )
  ranges = calibration.observe(graph, [images]).of
  rewritten, found = adapted.for_tflite(graph, ranges)
  assert [n.op for n in rewritten.nodes] != [n.op for n in graph.nodes]
  assert found.keys() == {rewritten.input, *(n.name for n in rewritten.nodes)}
  np.testing.assert_allclose(
    graphs.run(rewritten, images), graphs.run(graph, images), rtol=1e-5, atol=1e-6
  )
  observed = calibration.observe(rewritten, [images]).of
  for name in observed.keys() & found.keys():
    low, high = found[name]
    assert low - 1e-5 <= observed[name][0]
    assert observed[name][1] <= high + 1e-5


# ---- its file -----------------------------------------------------------------------


@pytest.mark.parametrize('precision', quantised.WHOLE)
def test_a_file_of_integers_answers_as_the_rounded_network(
  precision, made, rounded, images, tmp_path
):
  pytest.importorskip('litert_converter', reason='requirements-export.txt')
  pytest.importorskip('ai_edge_litert', reason='requirements-export.txt')
  path = tmp_path / 'x.tflite'
  formats.write(made, path, 'tflite', precision, rounded)
  opened = formats.open_file(path)
  expected = np.asarray(jax.jit(rounded.function())(images))
  steps = rounded.scales()[rounded.graph.outputs[0]].scale
  found = opened.answers(images, made.contract)
  assert np.abs(found - expected).max() <= 2.01 * steps
  at_the_ends = opened.operators['QUANTIZE'] + opened.operators['DEQUANTIZE']
  assert at_the_ends == (0 if precision == 'int8_io' else 2)


def test_what_is_kept_float_is_computed_in_floats(made, rounded, images, tmp_path):
  pytest.importorskip('litert_converter', reason='requirements-export.txt')
  pytest.importorskip('ai_edge_litert', reason='requirements-export.txt')
  name = next(n.name for n in rounded.graph.nodes if n.op == 'add')
  ranges = {k: v for k, v in rounded.ranges.items() if k != name}
  path = tmp_path / 'x.tflite'
  formats.write(made, path, 'tflite', 'int8', Quantised(rounded.graph, ranges))
  operators = formats.open_file(path).operators
  assert operators['DEQUANTIZE'] > 1
  assert operators['QUANTIZE'] > 1

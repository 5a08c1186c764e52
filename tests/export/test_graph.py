"""A graph is found in what JAX traces of a network, and gives the network's logits."""

import collections
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import input_pipeline
from mobilenet.export import graph, ops, tensorflow_ops
from mobilenet.export.errors import ExportError
from mobilenet.models import alexnet, counting, folding, heads, zoo
from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.convolution import conv
from mobilenet.models.layers import pool
from tests.export import programs

# Networks that have, between them, every op, and one whose nodes are pinned anyway.
SMALL = [
  ('tiny', {}),
  ('mixed', {}),
  ('mobilenet_v3_small', {'width': 0.35}),
  ('shufflenet_v1_g3', {'width': 0.25}),
  ('shufflenet_v2', {'width': 0.5}),
  ('squeezenet_1_1', {}),
  ('mobilenet_v4_hybrid_medium', {'width': 0.25}),
]
# Nodes of a graph: a convolution is one with its bias and its ReLU.
NODES = {
  'mobilenet_v1': 29,
  'mobilenet_v2': 64,
  'mobilenet_v3_large': 120,
  'mobilenet_v3_small': 107,
  'mobilenet_v4_conv_small': 58,
  'mobilenet_v4_hybrid_medium': 229,
  'squeezenet_1_1': 38,
  'shufflenet_v1_g3': 90,
  'shufflenet_v2': 117,
  'alexnet': 12,
}
MAPS = (6, 5, 8)  # of one image, in what is made up below


@functools.cache
def network(name, **options):
  return graph.of_program(programs.program(name, **options), 'a file')


def of(function, *arrays, shape=MAPS):
  """The graph of a function of (images, *arrays)."""
  variables = {f'v{n}': np.asarray(v, np.float32) for n, v in enumerate(arrays)}
  call = lambda variables, images: function(images, *variables.values())  # noqa: E731
  return graph.of(call, variables, shape, 'ONNX')


def kinds(found):
  return [node.op for node in found.nodes]


def in_tensorflow(found, images):
  tf = input_pipeline.tensorflow()
  assert set(tensorflow_ops.OPS) == set(ops.OPS)
  (made,) = tensorflow_ops.run(tf, found, tf.constant(images), found.constants)
  return made.numpy()


@pytest.mark.parametrize(
  ('name', 'options'),
  [*SMALL[:-1], pytest.param(*SMALL[-1], marks=pytest.mark.heavy)],
  ids=str,
)
def test_logits_are_those_of_the_network(name, options):
  found = jax.jit(lambda x: graph.run(network(name, **options), x))(programs.images())
  programs.assert_same(np.asarray(found), programs.logits(name, **options))
  found = in_tensorflow(network(name, **options), programs.images())
  programs.assert_same(found, programs.logits(name, **options))


def quick_or_heavy(*quick):
  return [
    name if name in quick else pytest.param(name, marks=pytest.mark.heavy)
    for name in zoo.NETWORKS
  ]


@pytest.mark.parametrize(
  'name', quick_or_heavy('mobilenet_v3_large', 'mobilenet_v4_hybrid_medium')
)
def test_every_network_has_a_graph(name):
  width = min(zoo.NETWORKS[name]) if isinstance(zoo.NETWORKS[name], dict) else 1.0
  model = zoo.create(name, width=width)
  _, shapes = counting.layers_and_variables(model, 224)
  # Zeros that take no memory: some networks have 500 MB.
  zeros = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), shapes)
  model, variables = folding.fold(model, zeros)
  call = lambda variables, images: model.apply(variables, images)  # noqa: E731
  found = graph.of(call, variables, (224, 224, 3), 'a file')
  assert set(kinds(found)) <= set(ops.OPS)
  assert found.nodes[-1].shape == (1, 1000)
  assert len({node.name for node in found.nodes} | set(found.constants)) == len(
    found.nodes
  ) + len(found.constants)
  assert len(found.nodes) == NODES.get(name, len(found.nodes))


def test_every_op_is_in_some_network_or_in_a_test_here():
  nodes = [network(name, **options).nodes for name, options in SMALL]
  there = {node.op for network_nodes in nodes for node in network_nodes}
  rare = {'einsum', 'gelu', 'local_norm', 'relu6', 'transpose'}
  # Those of detectors and segmenters: tests/runs/test_exporting_marks.py.
  rare |= {'argmax', 'exp', 'limit', 'resize', 'sigmoid'}
  rare |= {'prelu', 'unit'}  # of embedders: test_embedder_patterns.py
  assert set(ops.OPS) - there == rare


def test_nodes_are_called_after_their_modules():
  names = [node.name for node in network('tiny').nodes]
  assert names[:10] == [
    *('stem', 'stem/hard_swish', 'block_00/expand', 'block_00/depthwise'),
    *('block_00/se/mean', 'block_00/se/reduce', 'block_00/se/expand'),
    *('block_00/se/hard_sigmoid', 'block_00/se/mul', 'block_00/project'),
  ]
  assert names[10:] == [
    *('block_00/add', 'block_01', 'block_01/hard_swish', 'head/mean', 'head/hidden'),
    *('head/hard_swish', 'head/classifier'),
  ]


def test_constants_are_the_variables_by_their_names():
  program = programs.program('tiny')
  constants = network('tiny').constants
  leaves = jax.tree_util.tree_leaves_with_path(program.variables)
  variables = {'/'.join(key.key for key in path): leaf for path, leaf in leaves}
  assert set(constants) == set(variables)
  for name, value in constants.items():
    # Squeeze-and-excite's dense layers are convolutions of one pixel.
    np.testing.assert_array_equal(value.reshape(variables[name].shape), variables[name])


def test_what_is_asked_after_each_node_can_change_it():
  found, seen = network('tiny'), []

  def double(node, value):
    seen.append(node and node.name)
    assert node is None or value.shape[1:] == node.shape[1:]
    return 2 * value if node and node.name == 'head/classifier' else value

  images = programs.images()
  doubled = graph.run(found, images, after=double)
  programs.assert_same(doubled, 2 * programs.logits('tiny'))
  assert seen == [None, *(node.name for node in found.nodes)]


def test_constants_have_gradients():
  found = network('tiny')

  def loss(constants):
    return jnp.sum(graph.run(found, programs.images(), constants) ** 2)

  gradients = jax.jit(jax.grad(loss))(found.constants)
  assert set(gradients) == set(found.constants)
  assert all(np.any(np.asarray(value) != 0) for value in gradients.values())


# ---- patterns -----------------------------------------------------------------------


@pytest.mark.parametrize(
  ('function', 'wanted'),
  [
    *((act, [name]) for name, act in ACTIVATIONS.items() if name != 'linear'),
    (lambda x: ACTIVATIONS['relu'](x + x), ['add']),
    (lambda x: jnp.mean(x, (1, 2)), ['mean']),
    (lambda x: pool(x, 3, 2, 'average', 'torch'), ['average_pool']),
    (lambda x: pool(x, 3, 2, 'max', 'tf'), ['max_pool']),
    (lambda x: jax.nn.softmax(x, axis=-1), ['softmax']),
    (lambda x: alexnet.local_norm(x, alexnet.LocalNorm()), ['local_norm']),
    (lambda x: x.reshape(1, 30, 8).reshape(1, -1), ['reshape']),
    (lambda x: jnp.transpose(x, (0, 2, 1, 3)), ['transpose']),
    (lambda x: x[..., 2:5], ['slice']),
    (lambda x: 1.0 * (x - 2.0) + 0.0, ['add']),
    (jnp.exp, ['exp']),
    (lambda x: jnp.minimum(x, 0.5), ['limit']),
    (lambda x: jnp.einsum('nhwc,ih->niwc', x, np.ones((2, 6), 'f')), ['einsum']),
    (lambda x: heads.pool_to(x, 4), ['einsum']),
  ],
)
def test_a_pattern_is_one_node(function, wanted):
  found = of(function)
  assert kinds(found) == wanted
  x = np.random.default_rng(0).normal(size=(3, *MAPS)).astype(np.float32)
  values = [function(image[None]) for image in 3 * x]
  np.testing.assert_allclose(
    graph.run(found, 3 * x), np.concatenate(values), rtol=1e-5, atol=1e-6
  )
  np.testing.assert_allclose(
    in_tensorflow(found, 3 * x), np.concatenate(values), rtol=1e-5, atol=1e-5
  )


KERNEL, BIAS, FACTOR = np.ones((1, 1, 8, 4)), np.arange(4.0), np.arange(4.0) + 1


def test_a_factor_and_a_number_for_each_channel_are_other_weights():
  found = of(lambda x, k, b, f: (conv(x, k, bias=b) * f) + b, KERNEL, BIAS, FACTOR)
  assert kinds(found) == ['conv']
  np.testing.assert_array_equal(found.constants['v0'], KERNEL * FACTOR)
  np.testing.assert_array_equal(found.constants['v1'], BIAS * FACTOR + BIAS)


@pytest.mark.parametrize(
  ('function', 'wanted'),
  [
    (lambda y: jax.nn.relu(y) + y, ['conv', 'relu', 'add']),
    (lambda y: 2.0 * BIAS.astype('f') * y + y, ['conv', 'mul', 'add']),
    (lambda y: jax.nn.relu(jax.nn.relu(y) + 1.0), ['conv', 'add']),
  ],
)
def test_what_is_used_twice_stays_as_it_is(function, wanted):
  assert kinds(of(lambda x, k: function(conv(x, k)), KERNEL)) == wanted


def counted_pool(x):
  """An average that counts padded pixels, too."""
  window = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
  return lax.reduce_window(x, 0.0, lax.add, *window) / 9.0


@pytest.mark.parametrize(
  ('function', 'primitive'),
  [
    (jnp.sin, 'sin'),
    (jnp.log, 'log'),
    (lambda x: jnp.sum(x, (1, 2)) / 7.0, 'reduce_sum'),
    (lambda x: jnp.mean(x, (0, 1)), 'reduce_sum'),
    (counted_pool, 'window_sum'),
    (lambda x: jnp.minimum(x, x * x), 'min'),
    (lambda x: jnp.minimum(x, np.arange(8.0, dtype='f')), 'min'),
    (lambda x: x.astype(jnp.bfloat16), 'convert_element_type'),
    (lambda x: jnp.transpose(x, (1, 0, 2, 3)), 'transpose'),
    (lambda x: x[:, ::2], 'slice'),
  ],
)
def test_what_is_unknown_is_named(function, primitive):
  with pytest.raises(ExportError, match='ONNX has nothing for') as error:
    of(function)
  assert '\n' not in str(error.value)
  assert f' {primitive}' in str(error.value)


def test_an_op_counts_its_windows_as_jax_does():
  how = {'kernel': (3, 2), 'stride': (2, 1), 'padding': ((1, 1), (0, 1))}
  ones = jnp.ones((1, 7, 5, 1))
  window = (1, 3, 2, 1), (1, 2, 1, 1), ((0, 0), (1, 1), (0, 1), (0, 0))
  wanted = lax.reduce_window(ones, 0.0, lax.add, *window)
  np.testing.assert_array_equal(ops.window_counts(how, (7, 5)), wanted)


def test_the_running_order_is_that_of_the_network():
  found, made = network('shufflenet_v2', width=0.5), {graph.INPUT}
  for node in found.nodes:
    assert set(node.inputs) <= made | set(found.constants)
    made.add(node.name)
  assert collections.Counter(kinds(found))['shuffle'] == 16

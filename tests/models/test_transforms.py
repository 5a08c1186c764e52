"""Networks under every transformation of JAX: the numbers of XLA's own convolutions."""

import collections
import functools
import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from mobilenet.models import rows
from mobilenet.models.accelerator import kernels
from mobilenet.models.classifier import Classifier
from mobilenet.models.convolution import conv
from mobilenet.models.initial import init_variables
from mobilenet.models.lowering import pads
from tests import devices

ROWS = (rows.Conv(3, 8, 2, 'hard_swish'), rows.Separable(3, 16, 1, 'relu6'))
SHAPE = (16, 16, 3)
# Compiled quickly, not to be quick.
QUICKLY = {'compiler_options': {'xla_backend_optimization_level': 0}}
IMAGES = np.random.default_rng(0).standard_normal((2, *SHAPE), np.float32)


def model(lowering):
  """All kinds of convolutions, with norms and, the last one, with a bias."""
  network = rows.Network(ROWS, rows.ConvHead(), style=rows.Style(lowering=lowering))
  return Classifier(network, num_classes=8)


@functools.cache
def parameters(seed):
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda leaf: leaf + 0.3 * rng.standard_normal(leaf.shape, np.float32),
    init_variables(model('native'), SHAPE, 0)['params'],
  )


def logits_of(lowering):
  """A function of parameters and images, in training."""

  def logits(params, images):
    given = {'params': params, 'batch_stats': {}}
    return model(lowering).apply(given, images, train=True, mutable=['batch_stats'])[0]

  return logits


def loss_of(logits):
  return lambda params, images: jnp.sum(jnp.sin(logits(params, images)))


def one_image(function):
  return lambda params, image: function(params, image[None])


def along_a_line(logits, params, images):
  """Logits as a function of two numbers that all parameters and images depend on."""
  return lambda s: logits(jax.tree.map(lambda p: p * s[0], params), images * s[1])


POINT = jnp.asarray([1.0, 0.7])


def over_images(logits, params, images):
  return jax.vmap(one_image(logits), (None, 0))(params, images)


def over_an_ensemble(logits, params, images):
  members = jax.tree.map(lambda *leaves: jnp.stack(leaves), params, parameters(1))
  return jax.vmap(jax.value_and_grad(loss_of(logits)), (0, None))(members, images)


def over_two_ensembles(logits, params, images):
  """Two of two members, which differ in their images too."""
  members = jax.tree.map(lambda p: jnp.stack([p, 0.9 * p, 0.8 * p, p]), params)
  members = jax.tree.map(lambda p: p.reshape(2, 2, *p.shape[1:]), members)
  batches = jnp.stack([images, -images])
  return jax.vmap(jax.vmap(logits, (0, None)), (0, 0))(members, batches)


def per_example_gradients(logits, params, images):
  gradient = jax.grad(one_image(loss_of(logits)), (0, 1))
  return jax.vmap(gradient, (None, 0))(params, images)


def gradient_of_a_batch(logits, params, images):
  losses = jax.vmap(one_image(loss_of(logits)), (None, 0))
  return jax.grad(lambda params: jnp.sum(losses(params, images)))(params)


def forwards(logits, params, images):
  return jax.jvp(logits, (params, images), (parameters(2), images[::-1]))


def jacobian_forwards(logits, params, images):
  return jax.jacfwd(along_a_line(logits, params, images))(POINT)


def jacobian_backwards(logits, params, images):
  return jax.jacrev(logits, (0, 1))(params, images)


def hessian(logits, params, images):
  values = along_a_line(logits, params, images)
  return jax.hessian(lambda s: jnp.sum(jnp.sin(values(s))))(POINT)


def gradient_penalty(logits, params, images):
  """A gradient of a gradient, both backwards."""
  gradient = jax.grad(loss_of(logits), 1)
  return jax.grad(lambda p: jnp.sum(gradient(p, images) ** 2))(params)


def hessian_vector_product(logits, params, images):
  gradient = jax.grad(loss_of(logits), (0, 1))
  return jax.jvp(gradient, (params, images), (parameters(2), images[::-1]))[1]


def linear_and_transposed(logits, params, images):
  value, linear = jax.linearize(logits, params, images)
  back = jax.linear_transpose(linear, params, images)
  return value, linear(parameters(2), images), back(value)


def rematerialised(logits, params, images):
  return jax.grad(jax.checkpoint(loss_of(logits)), (0, 1))(params, images)


def scanned(logits, params, images):
  loss = one_image(loss_of(logits))

  def total(params):
    add = lambda sum_, image: (sum_ + loss(params, image), None)  # noqa: E731
    return lax.scan(add, 0.0, images)[0]

  return jax.value_and_grad(total)(params)


def over_devices(logits, params, images):
  """Each has an image and norms of its own; gradients are those of the sum."""
  two = devices.first(2)
  mesh = jax.make_mesh((2,), ('data',), axis_types=(AxisType.Auto,), devices=two)

  @functools.partial(jax.shard_map, mesh=mesh, in_specs=(P(), P('data')), out_specs=P())
  def gradients(params, images):
    return jax.grad(loss_of(logits))(params, images)

  return gradients(params, images)


TRANSFORMS = (
  over_images,
  over_an_ensemble,
  over_two_ensembles,
  per_example_gradients,
  gradient_of_a_batch,
  forwards,
  jacobian_forwards,
  jacobian_backwards,
  hessian,
  gradient_penalty,
  hessian_vector_product,
  over_devices,
  linear_and_transposed,
  rematerialised,
  scanned,
)


@functools.cache
def expected(transform):
  return computed(transform, 'native')


def computed(transform, lowering):
  run = jax.jit(functools.partial(transform, logits_of(lowering)), **QUICKLY)
  return jax.tree.leaves(jax.device_get(run(parameters(0), IMAGES)))


def on_one_cpu(request, monkeypatch):
  """Where `auto` is the accelerator."""
  request.getfixturevalue('accelerator')
  monkeypatch.setattr(jax, 'device_count', lambda backend=None: 1)


# What others say as well, of programs that compile long: for `heavy`.
REPEATS = (
  *(gradient_of_a_batch, jacobian_forwards, jacobian_backwards, hessian),
  *(rematerialised, scanned),
)
# What tells most: one batched, one differentiated twice, one on devices.
TELLING = (over_images, hessian_vector_product, over_devices)
CASES = [
  *((transform, 'compiled') for transform in TRANSFORMS if transform not in REPEATS),
  *((transform, 'sliced') for transform in TELLING),
  (over_devices, 'auto'),
]


@pytest.mark.parametrize(
  ('transform', 'lowering'),
  [
    pytest.param(
      *case,
      id=f'{case[0].__name__}-{case[1]}',
      marks=[] if case in CASES else pytest.mark.heavy,
    )
    for case in itertools.product(TRANSFORMS, ['auto', 'sliced', 'compiled'])
  ],
)
def test_numbers_do_not_depend_on_the_lowering(
  request, monkeypatch, transform, lowering
):
  theirs = expected(transform)
  if lowering != 'sliced':
    on_one_cpu(request, monkeypatch)
  assert_close(computed(transform, lowering), theirs)


def assert_close(ours, theirs):
  """To a thousandth of an array's largest, or a millionth of the largest of all."""
  largest = max(np.abs(leaf).max() for leaf in theirs)
  assert largest > 0.01
  for one, other in zip(ours, theirs, strict=True):
    assert one.shape == other.shape
    bound = 1e-3 * max(np.abs(other).max(), 1e-3 * largest)
    np.testing.assert_allclose(one, other, 0, bound)


def kernels_that_differ(run, x, kernel, bias):
  """Of a convolution: outputs, first and third derivatives, all that may be batched."""
  xs, kernels = jnp.stack([x, -x, 2 * x]), jnp.stack([kernel, kernel[::-1], -kernel])
  several = jax.vmap(run, (None, 0, None))
  loss = lambda x, kernel, bias: jnp.sum(run(x, kernel, bias) ** 2)  # noqa: E731
  twice = jax.vmap(jax.vmap(loss, (None, 0, None)), (0, None, None))
  total = lambda *arrays: jnp.sum(twice(*arrays) ** 2)  # noqa: E731
  line = lambda s: loss(s * x, s * kernel, s * bias)  # noqa: E731
  return (
    jax.vmap(run, (0, None, None))(xs, kernel, bias),
    jax.vmap(run)(xs, kernels, jnp.stack([bias, -bias, bias])),
    jax.grad(lambda x, kernels: jnp.sum(several(x, kernels, bias) ** 2), (0, 1))(
      x, kernels
    ),
    jax.vmap(jax.grad(loss, (0, 1, 2)), (0, None, None), 1)(xs, kernel, bias),
    jax.grad(total, (0, 1, 2))(xs, kernels, bias),
    jax.grad(jax.grad(jax.grad(line)))(0.9),
  )


# Name -> kernel, stride, groups and size of the image; eight channels in and out.
KINDS = {
  'depthwise': (3, 2, 8, 5),
  'pointwise': (1, 2, 1, 16),
  'grouped': (1, 1, 2, 4),
  'full': (3, 1, 1, 5),
  'on a small map': (3, 2, 1, 2),
}


@functools.cache
def of_a_kind(kind, lowering):
  k, stride, groups, size = KINDS[kind]
  rng = np.random.default_rng(k)
  x = rng.standard_normal((2, size, size, 8), np.float32)
  kernel = rng.standard_normal((k, k, 8 // groups, 8), np.float32)
  bias = rng.standard_normal(8, np.float32)
  padding = pads(x.shape[1:3], k, stride, 'tf')

  def run(x, kernel, bias):
    how = {'stride': stride, 'padding': padding, 'groups': groups, 'act': 'hard_swish'}
    return conv(x, kernel, bias=bias, lowering=lowering, **how)

  everything = jax.jit(functools.partial(kernels_that_differ, run), **QUICKLY)
  return jax.tree.leaves(jax.device_get(everything(x, kernel, bias)))


@pytest.mark.parametrize(
  'lowering', [pytest.param('sliced', marks=pytest.mark.heavy), 'compiled']
)
@pytest.mark.parametrize('kind', KINDS)
def test_every_kind_of_convolution_is_differentiated_and_batched(
  request, kind, lowering
):
  if lowering == 'compiled':
    if kind == 'grouped':
      pytest.skip('no grouped convolution is compiled')
    request.getfixturevalue('accelerator')
  assert_close(of_a_kind(kind, lowering), of_a_kind(kind, 'native'))


def test_a_training_step_calls_each_kernel_once(accelerator):
  """Convolutions have their norms with them, and all gradients in one pass.

  The first layer's output is made again for its gradients.
  """
  del accelerator
  step = jax.jit(jax.value_and_grad(loss_of(logits_of('compiled'))))
  calls = re.findall(
    r'custom_call @mobilenet_(\w+)', step.lower(parameters(0), IMAGES).as_text()
  )
  assert collections.Counter(calls) == {
    'conv_norm_again': 1,
    'conv_norm_again_gradients': 1,
    'depthwise_norm': 1,
    'depthwise_norm_gradients': 1,
    'pointwise_norm': 1,
    'pointwise_norm_gradients': 1,
    'pointwise': 2,  # the head's, which has no norm, and the gradient of what goes in
  }


# ---- exported ------------------------------------------------------------------------


def exported(lowering, shape=IMAGES.shape, **options):
  run = jax.jit(functools.partial(logits_of(lowering), parameters(0)))
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  return export.export(run, **options)(images)


@pytest.mark.parametrize('lowering', ['auto', 'native', 'sliced'])
@pytest.mark.parametrize('platforms', [('cpu',), ('tpu',), ('cuda', 'cpu')], ids=str)
def test_an_exported_program_is_portable(request, monkeypatch, lowering, platforms):
  """It has no call of this machine's library, and GPUs and TPUs get what suits them."""
  on_one_cpu(request, monkeypatch)
  program = export.deserialize(exported(lowering, platforms=platforms).serialize())
  text = program.mlir_module()
  assert 'custom_call' not in text
  has_depthwise = 'feature_group_count = 8' in text
  for_others = platforms != ('cpu',)
  assert (
    has_depthwise == {'auto': for_others, 'native': True, 'sliced': False}[lowering]
  )
  if 'cpu' in platforms:
    expected = logits_of('native')(parameters(0), IMAGES)
    np.testing.assert_allclose(program.call(IMAGES), expected, 1e-4, 1e-5)


@pytest.mark.parametrize('lowering', ['auto', 'native', 'sliced'])
@pytest.mark.parametrize('shape', ['b, 16, 16, 3', 'b, h, w, 3'])
def test_a_program_is_exported_for_any_number_and_size_of_images(
  request, monkeypatch, shape, lowering
):
  on_one_cpu(request, monkeypatch)
  program = exported(lowering, export.symbolic_shape(shape))
  images = np.random.default_rng(1).standard_normal((3, 16, 16, 3), np.float32)
  if 'h' in shape:
    images = images[:, :13, :9]
  expected = logits_of('native')(parameters(0), images)
  np.testing.assert_allclose(program.call(images), expected, 1e-4, 1e-5)


def test_compiled_is_exported_if_it_is_asked_for_by_name(accelerator):
  del accelerator
  with pytest.raises(ValueError, match='mobilenet_'):
    exported('compiled')
  names = [f'mobilenet_{name}' for name in kernels.KERNELS]
  safe = [export.DisabledSafetyCheck.custom_call(name) for name in names]
  program = exported('compiled', disabled_checks=safe)
  expected = logits_of('native')(parameters(0), IMAGES)
  np.testing.assert_allclose(program.call(IMAGES), expected, 1e-4, 1e-5)

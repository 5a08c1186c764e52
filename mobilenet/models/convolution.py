"""The convolution of all layers: one equation to JAX until a program is compiled.

Kernels are HWIO throughout: (k, k, C, O) full, (1, 1, C, O) pointwise, (k, k, C / g, O)
in g groups, (k, k, 1, C) depthwise.

`CONV` makes the output, or the gradient of images or kernel, of the other two: it is
linear in both, and its derivatives of any order are of its own kind. Only the first are
taken together, by `TANGENT` and, transposed, `GRADIENTS`: a compiled depthwise
convolution has both gradients in one pass.

Under `jax.vmap` more images are a larger batch. Where kernels differ too, as in an
ensemble, arrays of five axes hold one for each member and arrays of four are shared;
no compiled kernel takes such arrays, XLA does.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import ad

from mobilenet.models import native, operations, sliced
from mobilenet.models.accelerator import kernels
from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.lowering import check, choose
from mobilenet.models.window import Pads, Window, others


def conv(
  x: jax.Array,
  kernel: jax.Array,
  *,
  stride: int = 1,
  padding: Pads = ((0, 0), (0, 0)),
  dilation: int = 1,
  groups: int = 1,
  bias: jax.Array | None = None,
  act: str = 'linear',
  lowering: str = 'auto',
) -> jax.Array:
  """Convolves images (N, H, W, C) with an HWIO kernel; returns (N, H', W', O).

  `bias` (O,) is added, then the activation `act` is applied; a compiled convolution
  does so before it writes a result down. The `native` lowering is written down where it
  is traced, for exporters that read what JAX traces.

  Raises:
    ValueError: there is no such lowering.
    AcceleratorError: 'compiled' where the accelerator is not built.
  """
  window = Window.of(
    x, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups
  )
  if lowering == 'native':
    y = native.convolve('output', x, kernel, window)
    return ACTIVATIONS[act](y if bias is None else y + bias.astype(y.dtype))
  how = {'window': window, 'lowering': check(lowering)}
  if bias is None:
    y = CONV.bind(*operations.alike(x, kernel), wanted='output', **how)
    return ACTIVATIONS[act](y)
  arrays = operations.alike(x, kernel, bias.astype(x.dtype))
  if act in kernels.COMPILED_ACTIVATIONS:
    return FINISHED.bind(*arrays, act=act, **how)
  return ACTIVATIONS[act](FINISHED.bind(*arrays, act='linear', **how))


# ---- what a convolution means and how it is written ---------------------------------


def _conv(a, b, *, wanted, window, lowering):
  del lowering
  return _each_member(functools.partial(native.convolve, window=window), wanted, a, b)


def _write_conv(target, a, b, *, wanted, window, lowering):
  chosen = choose(lowering, target)
  if chosen == 'compiled' and a.ndim == b.ndim == 4:
    y = kernels.convolve(wanted, a, b, window)
    if y is not None:
      return y
  convolve = native.convolve if chosen == 'native' else sliced.convolve
  return _each_member(functools.partial(convolve, window=window), wanted, a, b)


def _each_member(convolve, wanted, a, b):
  axes = tuple(0 if array.ndim == 5 else None for array in (a, b))
  one = functools.partial(convolve, wanted)
  return one(a, b) if axes == (None, None) else jax.vmap(one, axes)(a, b)


def _finished(x, kernel, bias, *, act, **how):
  return ACTIVATIONS[act](CONV.bind(x, kernel, wanted='output', **how) + bias)


def _write_finished(target, x, kernel, bias, *, act, window, lowering):
  if choose(lowering, target) == 'compiled':
    y = kernels.output(x, kernel, bias, window, act)
    if y is not None:
      return y
  return _finished(x, kernel, bias, act=act, window=window, lowering=lowering)


def _tangent(x, kernel, *tangents, given, **how):
  arrays = {'images': x, 'kernel': kernel}
  return _change('output', arrays, dict(zip(given, tangents, strict=True)), how)


def _gradients(x, kernel, g, *, wanted, **how):
  arrays = {'images': x, 'kernel': kernel, 'output': g}
  # In JAX's own order: where it is XLA's convolution, the program is that of `native`.
  found = {r: _gradient(r, arrays, arrays[r].ndim, how) for r in reversed(wanted)}
  return [found[role] for role in wanted]


def _write_gradients(target, x, kernel, g, *, wanted, window, lowering):
  if choose(lowering, target) == 'compiled' and {x.ndim, kernel.ndim, g.ndim} == {4}:
    found = kernels.depthwise_gradients(x, kernel, g, window)
    if found is not None:
      return [found[role] for role in wanted]
  return _gradients(x, kernel, g, wanted=wanted, window=window, lowering=lowering)


# ---- how it is differentiated and batched -------------------------------------------


def _bind(wanted, arrays, how):
  """The array in a role from {role: array}."""
  return CONV.bind(*(arrays[role] for role in others(wanted)), wanted=wanted, **how)


def _change(wanted, arrays, changes, how):
  """That of the array in a role for those of the others, {role: change}."""
  parts = [_bind(wanted, {**arrays, role: own}, how) for role, own in changes.items()]
  return functools.reduce(lax.add, parts)


def _gradient(role, arrays, ndim, how):
  """That of an array of `ndim` axes: of what members share, the sum of theirs."""
  found = _bind(role, arrays, how)
  return found if found.ndim == ndim else jnp.sum(found, axis=0)


def _conv_jvp(primals, tangents, *, wanted, **how):
  arrays = dict(zip(others(wanted), primals, strict=True))
  changes = {
    role: tangent
    for role, tangent in zip(arrays, tangents, strict=True)
    if not operations.is_zero(tangent)
  }
  if wanted == 'output':
    change = TANGENT.bind(*primals, *changes.values(), given=tuple(changes), **how)
  else:
    change = _change(wanted, arrays, changes, how)
  return CONV.bind(*primals, wanted=wanted, **how), change


def _conv_transpose(g, *arguments, wanted, **how):
  arrays = dict(zip(others(wanted), arguments, strict=True))
  (role,) = (role for role, own in arrays.items() if ad.is_undefined_primal(own))
  found = _gradient(role, {**arrays, wanted: g}, arrays[role].aval.ndim, how)
  return [found if other == role else None for other in arrays]


def _tangent_transpose(g, x, kernel, *tangents, given, **how):
  if ad.is_undefined_primal(x) or ad.is_undefined_primal(kernel):
    arguments = (x, kernel, *tangents)
    return operations.transpose(_tangent, g, *arguments, given=given, **how)
  linear = zip(given, tangents, strict=True)
  wanted = tuple(role for role, own in linear if ad.is_undefined_primal(own))
  gradients = GRADIENTS.bind(x, kernel, g, wanted=wanted, **how)
  found = dict(zip(wanted, gradients, strict=True))
  return [None, None, *map(found.get, given)]


def _gradients_transpose(cotangents, x, kernel, g, *, wanted, **how):
  if ad.is_undefined_primal(x) or ad.is_undefined_primal(kernel):
    arguments = (cotangents, x, kernel, g)
    return operations.transpose(_gradients, *arguments, wanted=wanted, **how)
  cotangents = [ad.instantiate_zeros(cotangent) for cotangent in cotangents]
  return [None, None, TANGENT.bind(x, kernel, *cotangents, given=wanted, **how)]


def _finished_jvp(primals, tangents, *, act, **how):
  if act != 'linear':
    linear = functools.partial(FINISHED.bind, act='linear', **how)
    act_on = lambda *arrays: ACTIVATIONS[act](linear(*arrays))  # noqa: E731
    return operations.jvp(act_on, primals, tangents)
  y = FINISHED.bind(*primals, act=act, **how)
  *inner, d_bias = tangents
  parts = []
  if any(not operations.is_zero(tangent) for tangent in inner):
    parts.append(_conv_jvp(primals[:2], inner, wanted='output', **how)[1])
  if not operations.is_zero(d_bias):
    parts.append(jnp.broadcast_to(d_bias, y.shape))
  return y, functools.reduce(lax.add, parts)


def _conv_batch(arrays, axes, *, wanted, **how):
  run = functools.partial(CONV.bind, wanted=wanted, **how)
  kernel = others(wanted).index('kernel') if wanted != 'kernel' else None
  if kernel is not None and axes[kernel] is None and arrays[kernel].ndim == 4:
    return _as_one_batch(run, arrays, axes)
  return _as_members(run, arrays, axes)


def _finished_batch(arrays, axes, **how):
  if axes[1:] == (None, None) and arrays[1].ndim == 4:
    return _as_one_batch(functools.partial(FINISHED.bind, **how), arrays, axes)
  return operations.batch(_finished, arrays, axes, **how)


def _as_one_batch(run, arrays, axes):
  """Several batches of images for one kernel are one."""
  (n,) = (n for n, axis in enumerate(axes) if axis is not None)
  batches = jnp.moveaxis(arrays[n], axes[n], 0)
  several, images, *rest = batches.shape
  given = list(arrays)
  given[n] = batches.reshape(several * images, *rest)
  y = run(*given)
  return y.reshape(several, images, *y.shape[1:]), 0


def _as_members(run, arrays, axes):
  """Kernels that differ: one member each, times the members that there are."""
  pairs = list(zip(arrays, axes, strict=True))
  size = next(array.shape[axis] for array, axis in pairs if axis is not None)
  members = [
    array.shape[0 if axis != 0 else 1]
    for array, axis in pairs
    if array.ndim - (axis is not None) == 5
  ]
  given = []
  for array, axis in pairs:
    if axis is None and array.ndim == 4:
      given.append(array)
      continue
    own = array[None] if axis is None else jnp.moveaxis(array, axis, 0)
    if members:
      own = own[:, None] if own.ndim == 5 else own
      own = jnp.broadcast_to(own, (size, members[0], *own.shape[2:]))
      own = own.reshape(size * members[0], *own.shape[2:])
    given.append(own)
  y = run(*given)
  return y.reshape(size, *members[:1], *y.shape[1:]), 0


CONV = operations.define(
  'conv',
  _conv,
  _write_conv,
  jvp_rule=_conv_jvp,
  transpose_rule=_conv_transpose,
  batch_rule=_conv_batch,
)
TANGENT = operations.define('conv_tangent', _tangent, transpose_rule=_tangent_transpose)
GRADIENTS = operations.define(
  'conv_gradients',
  _gradients,
  _write_gradients,
  several=True,
  transpose_rule=_gradients_transpose,
)
FINISHED = operations.define(
  'conv_finished',
  _finished,
  _write_finished,
  jvp_rule=_finished_jvp,
  batch_rule=_finished_batch,
)

"""A convolution and the batch norm after it, as one operation in training.

They are most of a training step. Alone, the norm reads again what the convolution has
just written, and writes a gradient for the convolution's to read. The accelerator takes
the norm's sums while it writes, and makes that gradient piece by piece where it is
used. Without it one is written down after the other.

Where it costs less to compute a convolution's output again than to read it, the
accelerator does not keep it for the gradients (`kernels.is_made_again`). XLA alone
finds that both are the same, and keeps it.
"""

from typing import Any, NamedTuple

import jax
from jax import lax
from jax.interpreters import ad

from mobilenet.models import convolution, norm, operations
from mobilenet.models.accelerator import kernels
from mobilenet.models.lowering import check, choose
from mobilenet.models.window import Window

INPUTS = ('images', 'kernel', 'scale', 'bias')


class Pending(NamedTuple):
  """A convolution that waits for its norm, a `norm.Waiting`.

  how: stride, padding, dilation and groups, as `convolution.conv` takes them. lowering:
  of both.
  """

  x: jax.Array
  kernel: jax.Array
  how: dict[str, Any]
  lowering: str = 'auto'

  @property
  def window(self) -> Window:
    return Window.of(self.x, self.kernel, **self.how)

  @property
  def shape(self) -> tuple[int, ...]:
    return self.window.shape('output', self.x.shape[0])

  def now(self) -> jax.Array:
    """Its output (N, H, W, O)."""
    return convolution.conv(self.x, self.kernel, **self.how, lowering=self.lowering)

  def normalized(
    self, scale: jax.Array, bias: jax.Array, epsilon: float, act: str
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`norm.batch_norm` of its output.

    Raises:
      ValueError: there is no such lowering.
      AcceleratorError: 'compiled' where the accelerator is not built.
    """
    if self.lowering == 'native':
      return norm.batch_norm(self.now(), scale, bias, epsilon, act, self.lowering)
    how = {'window': self.window, 'lowering': check(self.lowering)}
    kept = not kernels.is_made_again(self.window, self.x.shape[0])
    arrays = operations.alike(self.x, self.kernel, scale, bias)
    found = UNIT.bind(*arrays, epsilon=epsilon, act=act, kept=kept, **how)
    return tuple(found[:3])


# ---- what it means and how it is written --------------------------------------------
#
# Its derivatives are given the statistics and, if it was kept, the convolution's
# output, which are there already. To differentiate them again, as their meaning does,
# these are made anew.


def _unit(x, kernel, scale, bias, *, window, lowering, kept, **how):
  before = _convolved(x, kernel, window, lowering)
  y, mean, variance = norm.NORM.bind(before, scale, bias, lowering=lowering, **how)
  return [y, mean, variance, *([lax.stop_gradient(before)] if kept else [])]


def _convolved(x, kernel, window, lowering):
  return convolution.CONV.bind(
    x, kernel, wanted='output', window=window, lowering=lowering
  )


def _tangent(x, kernel, scale, bias, *known, given, **how):
  tangents = known[len(known) - len(given) :]
  arrays = dict(zip(INPUTS, (x, kernel, scale, bias), strict=True))

  def y(*moving):
    return _unit(*(arrays | dict(zip(given, moving, strict=True))).values(), **how)[0]

  return jax.jvp(y, [arrays[name] for name in given], list(tangents))[1]


def _gradients(x, kernel, scale, bias, *known, wanted, kept, **how):
  del kept
  before = _convolved(x, kernel, how['window'], how['lowering'])
  statistics = norm.statistics(before)
  return _in_turn(
    x, kernel, scale, bias, *statistics, before, known[-1], wanted=wanted, **how
  )


def _in_turn(
  x, kernel, scale, bias, mean, variance, before, g, *, wanted, window, lowering, **how
):
  """The norm's gradients, then the convolution's."""
  arrays = (before, scale, bias, mean, variance, g)
  d_before, *of_norm = norm.GRADIENTS.bind(*arrays, lowering=lowering, **how)
  found = dict(zip(('scale', 'bias'), of_norm, strict=True))
  of_conv = tuple(name for name in ('images', 'kernel') if name in wanted)
  if of_conv:
    gradients = convolution.GRADIENTS.bind(
      x, kernel, d_before, wanted=of_conv, window=window, lowering=lowering
    )
    found |= zip(of_conv, gradients, strict=True)
  return [found[name] for name in wanted]


def _write_unit(target, x, kernel, scale, bias, *, window, lowering, kept, **how):
  if choose(lowering, target) == 'compiled':
    found = kernels.normalized(x, kernel, scale, bias, window, kept, **how)
    if found is not None:
      return found
  how |= {'window': window, 'lowering': lowering, 'kept': kept}
  return _unit(x, kernel, scale, bias, **how)


def _write_gradients(target, *arrays, wanted, window, lowering, kept, **how):
  if choose(lowering, target) == 'compiled':
    found = kernels.normalized_gradients(wanted, *arrays, window=window, **how)
    if found is not None:
      return [found[name] for name in wanted]
  if not kept:
    *rest, g = arrays
    arrays = (*rest, _convolved(*arrays[:2], window, lowering), g)
  return _in_turn(*arrays, wanted=wanted, window=window, lowering=lowering, **how)


# ---- how it is differentiated -------------------------------------------------------


def _unit_jvp(primals, tangents, **how):
  y, *known = UNIT.bind(*primals, **how)
  moving = {
    name: tangent
    for name, tangent in zip(INPUTS, tangents, strict=True)
    if not operations.is_zero(tangent)
  }
  change = TANGENT.bind(*primals, *known, *moving.values(), given=tuple(moving), **how)
  return [y, *known], [change, *map(operations.no_tangent, known)]


def _tangent_transpose(g, *arguments, given, **how):
  count = len(arguments) - len(given)
  known, tangents = arguments[:count], arguments[count:]
  if any(map(ad.is_undefined_primal, known)):
    return operations.transpose(_tangent, g, *arguments, given=given, **how)
  linear = zip(given, tangents, strict=True)
  wanted = tuple(name for name, own in linear if ad.is_undefined_primal(own))
  gradients = GRADIENTS.bind(*known, g, wanted=wanted, **how)
  found = dict(zip(wanted, gradients, strict=True))
  return [None] * count + [found.get(name) for name in given]


def _gradients_transpose(cotangents, *arguments, wanted, **how):
  *known, _ = arguments
  if any(map(ad.is_undefined_primal, known)):
    return operations.transpose(
      _gradients, cotangents, *arguments, wanted=wanted, **how
    )
  cotangents = map(ad.instantiate_zeros, cotangents)
  return [None] * len(known) + [TANGENT.bind(*known, *cotangents, given=wanted, **how)]


UNIT = operations.define(
  'conv_norm', _unit, _write_unit, several=True, jvp_rule=_unit_jvp
)
TANGENT = operations.define(
  'conv_norm_tangent', _tangent, transpose_rule=_tangent_transpose
)
GRADIENTS = operations.define(
  'conv_norm_gradients',
  _gradients,
  _write_gradients,
  several=True,
  transpose_rule=_gradients_transpose,
)

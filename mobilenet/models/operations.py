"""Operations of our own that every transformation of JAX knows: one equation each.

A function with a hand-written gradient (`jax.custom_vjp`) cannot be differentiated
forwards, and a call of compiled code cannot be differentiated again or batched. An
operation here has a meaning, plain JAX that can be transformed at will, and the way it
is written down when a program is compiled, which may depend on the devices. What a
transformation asks for and no rule of its own answers is derived from the meaning.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

# Platforms that an operation may be written differently for than for all others.
PLATFORMS = ('cpu',)


class Target(NamedTuple):
  """What a program is compiled for.

  platform: 'cpu', or '' for any other.
  portable: whether it is exported, to run on machines that are not known.
  """

  platform: str
  portable: bool = False


def define(
  name: str,
  meaning: Callable[..., Any],
  write: Callable[..., Any] | None = None,
  *,
  several: bool = False,
  jvp_rule: Callable[..., tuple] | None = None,
  transpose_rule: Callable[..., list] | None = None,
  batch_rule: Callable[..., tuple] | None = None,
) -> Primitive:
  """Makes an operation; it is called by `bind(*arrays, **params)`.

  Args:
    name: how it is printed.
    meaning: (*arrays, **params) -> an array, or a list of them; plain JAX or other
      operations, to be differentiated, transposed and batched. Params are hashable.
    write: (target, *arrays, **params) -> the same values, for a `Target`; None if the
      meaning is what is written.
    several: whether a list is returned.
    jvp_rule: see `jvp`; None derives it from the meaning, as the next two.
    transpose_rule: see `transpose`.
    batch_rule: see `batch`.
  """
  operation = Primitive(name)
  operation.multiple_results = several

  def evaluate(*arrays, **params):
    # Not jitted inside `jax.disable_jit` it would call itself.
    with jax.disable_jit(False):
      return _jitted(operation.bind, **params)(*arrays)

  def types(*avals, **params):
    found = _jitted(meaning, **params).trace(*avals).jaxpr.out_avals
    return found if several else found[0]

  operation.def_impl(evaluate)
  operation.def_abstract_eval(types)
  derived = [functools.partial(rule, meaning) for rule in (jvp, transpose, batch)]
  ad.primitive_jvps[operation] = jvp_rule or derived[0]
  ad.primitive_transposes[operation] = transpose_rule or derived[1]
  batching.primitive_batchers[operation] = batch_rule or derived[2]
  for platform in (*PLATFORMS, None):
    rule = _lowering_rule(write or _as_it_means(meaning), platform or '', several)
    mlir.register_lowering(operation, rule, platform=platform)
  return operation


@functools.cache
def _jitted(function, **params):
  """One function for all calls with the same params, so that JAX traces it once."""
  return jax.jit(functools.partial(function, **params))


def _as_it_means(meaning):
  return lambda target, *arrays, **params: meaning(*arrays, **params)


def _lowering_rule(write, platform, several):
  def rule(context, *values, **params):
    portable = context.module_context.lowering_parameters.for_export
    written = functools.partial(write, Target(platform, portable), **params)
    return mlir.lower_fun(written, multiple_results=several)(context, *values)

  return rule


def jvp(function, primals, tangents, **params):
  """(outputs, their tangents); some of the given tangents are `ad.Zero`.

  What has no tangent is a constant: no work is spent on zeros.
  """
  moving = [n for n, tangent in enumerate(tangents) if not is_zero(tangent)]
  of_moving = functools.partial(_filled, function, primals, moving, params)
  return jax.jvp(of_moving, [primals[n] for n in moving], [tangents[n] for n in moving])


def transpose(function, cotangents, *arguments, **params):
  """A cotangent for each undefined argument, in which the function is linear."""
  unknown = [n for n, value in enumerate(arguments) if ad.is_undefined_primal(value)]
  of_unknown = functools.partial(_filled, function, arguments, unknown, params)
  back = jax.linear_transpose(of_unknown, *(arguments[n].aval for n in unknown))
  given = jax.tree.map(ad.instantiate_zeros, cotangents, is_leaf=is_zero)
  found = dict(zip(unknown, back(given), strict=True))
  return [found.get(n) for n in range(len(arguments))]


def batch(function, arrays, axes, **params):
  """(outputs, 0 for each of them); `axes` are those of the arrays, None for none."""
  outputs = jax.vmap(functools.partial(function, **params), axes)(*arrays)
  return outputs, jax.tree.map(lambda _: 0, outputs)


def _filled(function, arguments, places, params, *values):
  """The function of the arguments with values in some places."""
  given = list(arguments)
  for n, value in zip(places, values, strict=True):
    given[n] = value
  return function(*given, **params)


def is_zero(tangent):
  return type(tangent) is ad.Zero


def no_tangent(value) -> ad.Zero:
  """The tangent of what carries no gradient."""
  return ad.Zero(jax.typeof(value).to_tangent_aval())


def alike(*arrays: jax.Array) -> tuple[jax.Array, ...]:
  """The arrays, all varying over the same axes of a mesh, as in `jax.shard_map`.

  JAX's own operators see to that themselves; gradients of what is the same on all
  devices are summed over them by it.
  """
  varying = [jax.typeof(array).manual_axis_type.varying for array in arrays]
  everywhere = frozenset().union(*varying)
  return tuple(
    lax.pcast(array, tuple(everywhere - own), to='varying')
    if everywhere - own
    else array
    for array, own in zip(arrays, varying, strict=True)
  )

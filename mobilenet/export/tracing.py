"""The equations that JAX traces of a function, as steps.

Each primitive has a rule. What depends on constants alone is computed; what only passes
a value on is gone. The batch is the first axis of every value, traced as one image.
"""

import dataclasses
import math
import string
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core import Literal

from mobilenet.export.errors import ExportError
from mobilenet.export.steps import Constant, Step, Value

INPUT, OUTPUTS = 'input', 'outputs'  # the ops of the images, and of what is given
# Equations that are steps by their own name, without attributes.
PLAIN = (
  'add',
  'sub',
  'mul',
  'div',
  'max',
  'min',
  'neg',
  'exp',
  'erfc',
  'pow',
  'square',
  'rsqrt',
)
PASSING = ('copy', 'copy_p', 'stop_gradient')


@dataclasses.dataclass(frozen=True)
class Equation:
  """One equation, its inputs known.

  shapes: of its outputs.
  """

  primitive: str
  inputs: tuple[Value, ...]
  params: dict[str, Any]
  shapes: tuple[tuple[int, ...], ...]
  scope: str

  def step(self, op: str, **attributes) -> Step:
    return Step(op, self.inputs, attributes, self.shapes[0], self.scope)


def trace(function, variables, image_shape: tuple[int, int, int], what: str) -> Step:
  """The step OUTPUTS, whose inputs are what a function gives of one image.

  Args:
    function: (variables, images) -> an array or a tuple of arrays.
    variables: a tree of NumPy arrays; what is computed of it is named after its paths.
    image_shape: (H, W, 3).
    what: is wanted of it, for an error: 'ONNX'.

  Raises:
    ExportError: no rule knows an equation.
  """
  image = jax.ShapeDtypeStruct((1, *image_shape), np.float32)
  closed = jax.make_jaxpr(function)(jax.tree.map(_type, variables), image)
  named = jax.tree_util.tree_leaves_with_path(variables)
  known = [Constant(leaf, '/'.join(str(k.key) for k in path)) for path, leaf in named]
  given = Step(INPUT, (), {}, image.shape)
  constants = [Constant(np.asarray(value)) for value in closed.consts]
  outputs = _walk(closed.jaxpr, [*constants, *known, given], '', what)
  return Step(OUTPUTS, tuple(outputs), {}, outputs[0].shape)


def _type(leaf) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype)


def _walk(jaxpr, inputs: list[Value], scope: str, what: str) -> list[Value]:
  values = dict(zip([*jaxpr.constvars, *jaxpr.invars], inputs, strict=True))

  def value_of(atom) -> Value:
    return Constant(np.asarray(atom.val)) if isinstance(atom, Literal) else values[atom]

  for equation in jaxpr.eqns:
    inputs = [value_of(atom) for atom in equation.invars]
    inner = '/'.join(filter(None, (scope, str(equation.source_info.name_stack))))
    outputs = _outputs(equation, inputs, inner, what)
    values |= zip(equation.outvars, outputs, strict=True)
  return [value_of(atom) for atom in jaxpr.outvars]


def _outputs(equation, inputs: list[Value], scope: str, what: str) -> list[Value]:
  for body in (
    equation.params.get(key) for key in ('jaxpr', 'call_jaxpr', 'fun_jaxpr')
  ):
    if body is not None:
      constants = [Constant(np.asarray(value)) for value in body.consts]
      return _walk(body.jaxpr, [*constants, *inputs], scope, what)
  if all(isinstance(value, Constant) for value in inputs):
    return _computed(equation, inputs)
  shapes = tuple(var.aval.shape for var in equation.outvars)
  primitive = equation.primitive.name
  traced = Equation(primitive, tuple(inputs), equation.params, shapes, scope)
  rule = RULES.get(primitive)
  found = rule(traced) if rule else None
  if found is None:
    raise ExportError(
      f'{what} has nothing for {primitive} {_shown(traced)} in {scope or "the network"}'
    )
  return found if isinstance(found, list) else [found]


def _computed(equation, inputs: list[Constant]) -> list[Constant]:
  arrays, shape = [value.array for value in inputs], equation.outvars[0].aval.shape
  reshapes = equation.primitive.name in ('reshape', 'broadcast_in_dim')
  if reshapes and arrays[0].size == np.prod(shape):  # for speed: these are many
    made = np.reshape(arrays[0], shape)
  else:
    with jax.ensure_compile_time_eval():  # in a function that is traced itself, too
      arrays = map(jax.numpy.asarray, arrays)
      made = equation.primitive.bind(*arrays, **equation.params)
      made = jax.tree.map(np.asarray, made)
  name = next((value.name for value in inputs if value.name), '')
  several = made if equation.primitive.multiple_results else [made]
  return [Constant(np.asarray(array), name) for array in several]


def _shown(equation: Equation) -> str:
  shapes = ', '.join(str(tuple(value.shape)) for value in equation.inputs)
  return f'of {shapes} to {equation.shapes[0]}'


# ---- a rule for each primitive: the step, or steps; None where it is not one ---------


def _passed(equation: Equation) -> Value:
  return equation.inputs[0]


def _convert(equation: Equation) -> Value | None:
  return equation.inputs[0] if equation.params['new_dtype'] == np.float32 else None


def _conv(equation: Equation) -> Step | None:
  params, window = equation.params, equation.params['window']
  if params.get('wanted', 'output') != 'output':
    return None
  return equation.step(
    'conv',
    stride=window.stride,
    padding=tuple(map(tuple, window.padding)),
    dilation=window.dilation,
    groups=window.groups,
    act=params.get('act', 'linear'),
  )


def _sigmoid(equation: Equation) -> Step:
  return equation.step('sigmoid')


def _argmax(equation: Equation) -> Step | None:
  axes, shape = tuple(equation.params['axes']), equation.inputs[0].shape
  return equation.step('argmax') if axes == (len(shape) - 1,) else None


def _einsum(equation: Equation) -> Step:
  """Any product of two arrays, its axes as letters: 'nqd,nkd->nqk'."""
  (left, right), (left_batch, right_batch) = equation.params['dimension_numbers']
  first, second = (len(value.shape) for value in equation.inputs)
  a = string.ascii_lowercase[:first]
  b = list(string.ascii_lowercase[first : first + second])
  for own, other in zip((*left, *left_batch), (*right, *right_batch), strict=True):
    b[other] = a[own]
  batch = [a[n] for n in left_batch]
  free = [c for n, c in enumerate(a) if n not in (*left, *left_batch)]
  free += [c for n, c in enumerate(b) if n not in (*right, *right_batch)]
  return equation.step(
    'einsum', formula=f'{a},{"".join(b)}->{"".join([*batch, *free])}'
  )


def _reshape(equation: Equation) -> Value | None:
  value, shape = equation.inputs[0], equation.shapes[0]
  if value.shape == shape:
    return value
  same = math.prod(value.shape) == math.prod(shape)
  return equation.step('reshape', shape=shape) if same and shape[:1] == (1,) else None


def _transpose(equation: Equation) -> Value:
  axes = equation.params['permutation']
  if axes == tuple(range(len(axes))):
    return equation.inputs[0]
  return equation.step('transpose', axes=axes)


def _reduced(equation: Equation) -> Step:
  return equation.step(equation.primitive, axes=tuple(equation.params['axes']))


def _pooled(op: str) -> Callable[[Equation], Step | None]:
  def rule(equation):
    size, strides, padding = (
      tuple(equation.params[key])
      for key in ('window_dimensions', 'window_strides', 'padding')
    )
    dilated = {*equation.params['base_dilation'], *equation.params['window_dilation']}
    outer = [(size[n], strides[n], tuple(padding[n])) for n in (0, -1)]
    if len(size) != 4 or dilated != {1} or outer != [(1, 1, (0, 0))] * 2:
      return None
    pads = tuple(map(tuple, padding[1:3]))
    return equation.step(op, kernel=size[1:3], stride=strides[1:3], padding=pads)

  return rule


def _concat(equation: Equation) -> Step | None:
  axis = equation.params['dimension']
  return equation.step('concat', axis=axis) if axis else None


def _slice(equation: Equation) -> Value | None:
  starts, stops = equation.params['start_indices'], equation.params['limit_indices']
  sizes, strides = equation.inputs[0].shape, equation.params['strides']
  cut = [n for n, stop in enumerate(stops) if (starts[n], stop) != (0, sizes[n])]
  if set(strides or (1,)) != {1}:
    return None
  if not cut:
    return equation.inputs[0]
  if len(cut) > 1 or cut[0] == 0:
    return None
  (axis,) = cut
  return equation.step('slice', axis=axis, start=starts[axis], stop=stops[axis])


def _split(equation: Equation) -> list[Step]:
  axis, start, parts = equation.params['axis'], 0, []
  for size, shape in zip(equation.params['sizes'], equation.shapes, strict=True):
    cut = {'axis': axis, 'start': start, 'stop': start + size}
    parts.append(Step('slice', equation.inputs, cut, shape, equation.scope))
    start += size
  return parts


def _pad(equation: Equation) -> Step:
  config = tuple(tuple(map(int, axis)) for axis in equation.params['padding_config'])
  return equation.step('pad', config=config)


RULES: dict[str, Callable[[Equation], Value | list[Value] | None]] = {
  **{name: lambda equation: equation.step(equation.primitive) for name in PLAIN},
  **dict.fromkeys(PASSING, _passed),
  'convert_element_type': _convert,
  'conv': _conv,
  'conv_finished': _conv,
  'dot_general': _einsum,
  'logistic': _sigmoid,
  'argmax': _argmax,
  **dict.fromkeys(
    ('reshape', 'broadcast_in_dim', 'squeeze', 'expand_dims'),
    _reshape,
  ),
  'transpose': _transpose,
  'reduce_sum': _reduced,
  'reduce_max': _reduced,
  'reduce_window_max': _pooled('max_pool'),
  'reduce_window_sum': _pooled('window_sum'),
  'concatenate': _concat,
  'slice': _slice,
  'split': _split,
  'pad': _pad,
}

"""Rules that find the ops of a graph in what JAX traces of a network.

`RECOGNISED` look at what goes into a step; the steps in between vanish where nobody
else uses them. `FUSED` take a step into the one before it, which nobody else may use.
"""

import string

import numpy as np

from mobilenet.export import embedder_patterns, mark_patterns, ops
from mobilenet.export.attention import to_matmul
from mobilenet.export.steps import Constant, Rule, Step, Value, is_step, number

COMMUTING = ('add', 'mul', 'max', 'min')
SQRT_HALF = 0.5**0.5


def _is(value: Value, wanted: float) -> bool:
  found = number(value)
  return found is not None and bool(np.isclose(found, wanted, rtol=1e-6))


def _halves(step: Step, op: str) -> list[tuple[Value, Value]]:
  """The inputs of a commuting op of two, in both orders; none of another op."""
  if not is_step(step, op):
    return []
  a, b = step.inputs
  return [(a, b), (b, a)]


def _of(step: Value, op: str, wanted: float) -> Value | None:
  """What a step combines with this number: x of x + 3."""
  pairs = _halves(step, op)
  return next((x for x, other in pairs if _is(other, wanted)), None)


# ---- found in what goes into a step -------------------------------------------------


def constant_last(step, uses):
  if step.op in COMMUTING and isinstance(step.inputs[0], Constant):
    return Step(step.op, step.inputs[::-1], step.attributes, step.shape, step.scope)
  return None


def nothing_done(step, uses):
  for op, neutral in (('add', 0.0), ('mul', 1.0), ('max', -np.inf)):
    x = _of(step, op, neutral)
    if x is not None and x.shape == step.shape:
      return x
  return None


def sum_with_act(step, uses):
  """A sum can have an activation, as yet it has none."""
  return step.but(act='linear') if step.op == 'add' and not step.attributes else None


def difference(step, uses):
  """x - c is x + -c; two maps are subtracted nowhere but in a softmax."""
  if step.op == 'sub' and isinstance(step.inputs[1], Constant):
    x, constant = step.inputs
    turned = Constant(-constant.array, constant.name)
    return Step('add', (x, turned), {}, step.shape, step.scope)
  return None


def clip(step, uses):
  if (x := _of(step, 'max', 0.0)) is not None:
    return Step('relu', (x,), {}, step.shape, step.scope)
  x = _of(step, 'min', 6.0)
  return x.but('relu6') if is_step(x, 'relu') else None


def hard_sigmoid(step, uses):
  clipped = _of(step, 'mul', 1 / 6)
  x = _of(clipped.inputs[0], 'add', 3.0) if is_step(clipped, 'relu6') else None
  return x and Step('hard_sigmoid', (x,), {}, step.shape, step.scope)


def hard_swish(step, uses):
  for x, gate in _halves(step, 'mul'):
    if is_step(gate, 'hard_sigmoid') and gate.inputs[0] is x:
      return Step('hard_swish', (x,), {}, step.shape, step.scope)
  return None


def gelu(step, uses):
  """x / 2 * erfc(-x * sqrt(1 / 2))."""
  for half, tail in _halves(step, 'mul'):
    x = _of(half, 'mul', 0.5)
    turned = _of(tail.inputs[0], 'mul', SQRT_HALF) if is_step(tail, 'erfc') else None
    if x and is_step(turned, 'neg') and turned.inputs[0] is x:
      return Step('gelu', (x,), {}, step.shape, step.scope)
  return None


def mean(step, uses):
  if step.op != 'div' or not is_step(step.inputs[0], 'reduce_sum'):
    return None
  (x,), axes = step.inputs[0].inputs, step.inputs[0].attributes['axes']
  if (
    len(x.shape) != 4
    or axes != (1, 2)
    or not _is(step.inputs[1], np.prod(x.shape[1:3]))
  ):
    return None
  return Step('mean', (x,), {'keep': False}, step.shape, step.scope)


def average_pool(step, uses):
  if step.op != 'div' or not is_step(step.inputs[0], 'window_sum'):
    return None
  total, counts = step.inputs
  wanted = ops.window_counts(total.attributes, total.inputs[0].shape[1:3])
  if not isinstance(counts, Constant) or not np.array_equal(
    np.broadcast_to(counts.array, wanted.shape), wanted
  ):
    return None
  return total.but('average_pool')


def softmax(step, uses):
  """exp(x - max) / sum of it, over the last axis."""
  if step.op != 'div' or not is_step(step.inputs[0], 'exp'):
    return None
  exp, below = step.inputs
  total = below.inputs[0] if is_step(below, 'reshape') else None
  shifted = exp.inputs[0]
  if not is_step(shifted, 'sub') or not is_step(total, 'reduce_sum'):
    return None
  x, above = shifted.inputs
  highest = above.inputs[0] if is_step(above, 'reshape') else None
  last = (len(x.shape) - 1,)
  over_last = (total.attributes['axes'], total.inputs[0]) == (last, exp)
  if not over_last or not is_step(highest, 'reduce_max'):
    return None
  if (highest.attributes['axes'], highest.inputs[0]) != (last, x):
    return None
  return Step('softmax', (x,), {}, step.shape, step.scope)


def local_norm(step, uses):
  """x * (k + alpha * (sum of squares over neighbouring channels)) ** -beta."""
  for x, power in _halves(step, 'mul'):
    beta = number(power.inputs[1]) if is_step(power, 'pow') else None
    if beta is None or not is_step(power.inputs[0], 'add'):
      continue
    scaled, k = power.inputs[0].inputs
    if not is_step(scaled, 'mul') or number(k) is None:
      continue
    total, alpha = scaled.inputs
    size = _neighbours(total, x)
    if size and number(alpha) is not None:
      how = {'size': size, 'alpha': number(alpha), 'beta': -beta, 'k': number(k)}
      return Step('local_norm', (x,), how, step.shape, step.scope)
  return None


def _neighbours(total: Value, x: Value) -> int:
  """How many channels around each are summed, of the squares of x; 0 for other sums."""
  slices = []
  while is_step(total, 'add'):
    total, last = total.inputs
    slices.insert(0, last)
  slices.insert(0, total)
  if not all(is_step(part, 'slice') for part in slices):
    return 0
  padded = {part.inputs[0] for part in slices}
  starts = [part.attributes['start'] for part in slices]
  axes = {part.attributes['axis'] for part in slices}
  size, channels = len(slices), x.shape[-1]
  if len(padded) > 1 or starts != list(range(size)) or axes != {len(x.shape) - 1}:
    return 0
  pad, border = padded.pop(), (size // 2, size - 1 - size // 2, 0)
  if not is_step(pad, 'pad') or pad.shape[-1] != channels + size - 1:
    return 0
  squares, filling = pad.inputs
  config = ((0, 0, 0),) * (len(x.shape) - 1) + (border,)
  if pad.attributes['config'] != config or number(filling) != 0:
    return 0
  return size if is_step(squares, 'square') and squares.inputs[0] is x else 0


def one_reshape(step, uses):
  if step.op == 'reshape' and is_step(before := step.inputs[0], 'reshape'):
    x = before.inputs[0]
    same = x.shape == step.shape
    return x if same else Step('reshape', (x,), step.attributes, step.shape, step.scope)
  return None


def shuffle(step, uses):
  if step.op != 'reshape' or not is_step(turned := step.inputs[0], 'transpose'):
    return None
  split = turned.inputs[0]
  if not is_step(split, 'reshape') or split.inputs[0].shape != step.shape:
    return None
  axes, groups = turned.attributes['axes'], split.shape[-2]
  *rest, a, b = range(len(split.shape))
  if axes != (*rest, b, a) or split.shape[:-2] != step.shape[:-1]:
    return None
  return Step('shuffle', split.inputs, {'groups': groups}, step.shape, step.scope)


def turned_product(step, uses):
  """A product whose axes are moved afterwards is another product."""
  if step.op != 'transpose' or not is_step(product := step.inputs[0], 'einsum'):
    return None
  given, made = product.attributes['formula'].split('->')
  formula = f'{given}->{"".join(made[n] for n in step.attributes["axes"])}'
  return Step('einsum', product.inputs, {'formula': formula}, step.shape, step.scope)


def one_product(step, uses):
  """A product of a product is one of all their inputs, as it was before JAX took it."""
  if step.op != 'einsum' or not any(is_step(v, 'einsum') for v in step.inputs):
    return None
  given, made = step.attributes['formula'].split('->')
  n = next(n for n, value in enumerate(step.inputs) if is_step(value, 'einsum'))
  inner, terms = step.inputs[n], given.split(',')
  inside, result = inner.attributes['formula'].split('->')
  spare = iter(sorted(set(string.ascii_letters) - set(given)))
  known = dict(zip(result, terms[n], strict=True))
  for letter in sorted(set(inside) - {',', *result}):
    known[letter] = next(spare)
  terms[n : n + 1] = [
    ''.join(known[letter] for letter in term) for term in inside.split(',')
  ]
  inputs = (*step.inputs[:n], *inner.inputs, *step.inputs[n + 1 :])
  formula = {'formula': f'{",".join(terms)}->{made}'}
  return Step('einsum', inputs, formula, step.shape, step.scope)


def dense(step, uses):
  if step.op != 'einsum' or [type(v) for v in step.inputs] != [Step, Constant]:
    return None
  if step.attributes['formula'] != 'ab,bd->ad':
    return None
  return Step('dense', step.inputs, {'act': 'linear'}, step.shape, step.scope)


# ---- taken into the step before -----------------------------------------------------


def own_activation(step, uses):
  """A convolution's activation leaves it where it cannot stay."""
  if step.op == 'conv' and (act := step.attributes['act']) not in ops.FUSED:
    return Step(act, (step.but(act='linear'),), {}, step.shape, step.scope)
  return None


def affine(step, uses):
  """A factor or a number more for each output of a layer: other weights."""
  layer = step.inputs[0] if step.op in ('mul', 'add') else None
  if not is_step(layer, 'conv', 'dense') or not isinstance(step.inputs[1], Constant):
    return None
  constant, features = step.inputs[1], layer.shape[-1]
  plain = layer.attributes['act'] == 'linear' and uses[layer] == 1
  if not plain or constant.shape[-1:] != (features,) or constant.array.size != features:
    return None
  values = constant.array.reshape(features)
  x, kernel, *bias = layer.inputs
  if step.op == 'mul':
    kernel = Constant(kernel.array * values, kernel.name)
    bias = [Constant(old.array * values, old.name) for old in bias]
  elif bias:
    bias = [Constant(bias[0].array + values, bias[0].name)]
  else:
    bias = [Constant(values, constant.name)]
  return Step(layer.op, (x, kernel, *bias), layer.attributes, step.shape, layer.scope)


def activation(step, uses):
  layer = step.inputs[0] if step.op in ops.FUSED else None
  if not is_step(layer, 'conv', 'dense', 'add') or uses[layer] > 1:
    return None
  return layer.but(act=step.op) if layer.attributes['act'] == 'linear' else None


def of_pixel(step, uses):
  """What is done to a mean and then spread over a map is done to a map of one pixel.

  So squeeze-and-excite has no change of shape: its dense layers are convolutions.
  """
  if step.op != 'reshape' or step.shape[:-1] != (1, 1, 1):
    return None
  before = step.inputs[0]
  if not isinstance(before, Step) or uses[before] > 1 or len(before.shape) != 2:
    return None
  if before.op == 'mean':
    made = before.but(keep=True)
  elif before.op == 'dense':
    made = _as_conv(before)
  elif before.op in ops.POINTWISE:
    made = before
  else:
    return None
  inputs = made.inputs
  if before.op != 'mean':
    x = inputs[0]
    shape = (1, 1, 1, x.shape[-1])
    inputs = (Step('reshape', (x,), {'shape': shape}, shape, step.scope), *inputs[1:])
  return Step(made.op, inputs, made.attributes, step.shape, before.scope)


def _as_conv(layer: Step) -> Step:
  x, kernel, *bias = layer.inputs
  kernel = Constant(kernel.array[None, None], kernel.name)
  how = {'stride': 1, 'padding': ((0, 0), (0, 0)), 'dilation': 1, 'groups': 1}
  inputs = (x, kernel, *bias)
  return Step('conv', inputs, how | layer.attributes, layer.shape, layer.scope)


RECOGNISED: tuple[Rule, ...] = (
  sum_with_act,
  constant_last,
  nothing_done,
  difference,
  clip,
  hard_sigmoid,
  hard_swish,
  gelu,
  mean,
  average_pool,
  softmax,
  local_norm,
  one_reshape,
  shuffle,
  turned_product,
  one_product,
  dense,
  to_matmul,
  *mark_patterns.RULES,
  *embedder_patterns.RULES,
)
FUSED: tuple[Rule, ...] = (
  own_activation,
  affine,
  activation,
  of_pixel,
  one_reshape,
)

"""Rules for what embedders have and other networks lack; see `patterns`."""

from mobilenet.export.answers import EXACT
from mobilenet.export.steps import Constant, Step, Value, is_step, number


def prelu(step, uses):
  """max(x, 0) + slope * min(x, 0), of which the first is a ReLU already."""
  if not is_step(step, 'add'):
    return None
  for positive, negative in (step.inputs, step.inputs[::-1]):
    if not is_step(positive, 'relu') or not is_step(negative, 'mul'):
      continue
    low, slope = negative.inputs
    if is_step(slope, 'limit'):
      low, slope = slope, low
    (x,) = positive.inputs
    is_low = is_step(low, 'limit') and low.attributes['highest'] == 0
    if isinstance(slope, Constant) and is_low and low.inputs[0] is x:
      flat = Constant(slope.array.reshape(-1), slope.name)
      return Step('prelu', (x, flat), {}, step.shape, step.scope)
  return None


def unit(step, uses):
  """x / sqrt(sum of x^2), of vectors (N, E); a byte is too rough for its numbers."""
  if not is_step(step, 'mul') or len(step.shape) != 2:
    return None
  for x, inverse in (step.inputs, step.inputs[::-1]):
    if not is_step(inverse, 'rsqrt'):
      continue
    total = _unspread(inverse.inputs[0])
    if not is_step(total, 'reduce_sum') or total.attributes['axes'] != (1,):
      continue
    squares = total.inputs[0]
    if is_step(squares, 'square') and squares.inputs[0] is x:
      return Step('unit', (x,), {}, step.shape, f'{step.scope}/{EXACT}')
  return None


def _unspread(value: Value) -> Value:
  """What is kept from being 0, and is given an axis more."""
  while is_step(value, 'max', 'relu', 'reshape'):
    if is_step(value, 'max') and number(value.inputs[1]) is None:
      break
    value = value.inputs[0]
  return value


RULES = (prelu, unit)

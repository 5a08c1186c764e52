"""Rules for what detectors and segmenters have and classifiers lack; see `patterns`.

Boxes are decoded by quotients, differences and a limit; maps are enlarged.
"""

import numpy as np

from mobilenet.export.steps import Constant, Step, is_step, number


def quotient(step, uses):
  """x / c is x * (1 / c), but for what `mean`, `average_pool` and `softmax` take."""
  if step.op != 'div' or not is_step(step.inputs[0], 'slice', 'mul', 'add'):
    return None
  x, constant = step.inputs
  if not isinstance(constant, Constant):
    return None
  turned = Constant(np.float32(1) / constant.array, constant.name)
  return Step('mul', (x, turned), {}, step.shape, step.scope)


def difference_of_two(step, uses):
  """a - b is a + b * -1, but for the one in a softmax."""
  if step.op != 'sub' or not all(isinstance(value, Step) for value in step.inputs):
    return None
  a, b = step.inputs
  if is_step(b, 'reshape'):  # the greatest of each row
    return None
  minus = Step('mul', (b, Constant(np.float32(-1))), {}, b.shape, step.scope)
  return Step('add', (a, minus), {}, step.shape, step.scope)


def limit(step, uses):
  """min(x, c), where it is no part of a ReLU6."""
  if step.op != 'min' or is_step(step.inputs[0], 'relu', 'max'):
    return None
  highest = number(step.inputs[1])
  if highest is None:
    return None
  how = {'highest': highest}
  return Step('limit', step.inputs[:1], how, step.shape, step.scope)


def mean_of_map(step, uses):
  """A mean that keeps its axes as sizes of 1."""
  if step.op != 'div' or not is_step(step.inputs[0], 'reshape'):
    return None
  spread, count = step.inputs
  total = spread.inputs[0]
  if not is_step(total, 'reduce_sum') or total.attributes['axes'] != (1, 2):
    return None
  (x,) = total.inputs
  if len(x.shape) != 4 or spread.shape != (1, 1, 1, x.shape[-1]):
    return None
  if number(count) != np.prod(x.shape[1:3]):
    return None
  return Step('mean', (x,), {'keep': True}, step.shape, step.scope)


def resize(step, uses):
  """A product of a map's rows and columns with the weights of a bilinear resize."""
  maps = [n for n, value in enumerate(step.inputs) if isinstance(value, Step)]
  if step.op != 'einsum' or len(maps) != 1 or len(step.shape) != 4:
    return None
  (place,), (given, made) = maps, step.attributes['formula'].split('->')
  terms, weights = given.split(','), list(step.inputs)
  x, letters = weights.pop(place), terms.pop(place)
  changed = [axis for axis in range(len(letters)) if letters[axis] != made[axis]]
  if len(letters) != 4 or not weights or not changed or not {*changed} <= {1, 2}:
    return None
  wanted = ''.join(letters[axis] + made[axis] for axis in changed)
  if sorted({*''.join(terms)}) != sorted(wanted):
    return None
  arrays = [value.array for value in weights]
  found = np.einsum(f'{",".join(terms)}->{wanted}', *arrays)
  expected = np.float32(1)
  for axis in changed:
    expected = np.multiply.outer(expected, bilinear(x.shape[axis], step.shape[axis]))
  if not np.allclose(found, expected, atol=1e-5):
    return None
  return Step('resize', (x,), {'size': step.shape[1:3]}, step.shape, step.scope)


def bilinear(old: int, new: int) -> np.ndarray:
  """Weights (old, new) of half-pixel centres, without antialiasing; edges go on."""
  place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
  distance = np.abs(np.arange(old)[:, None] - place[None])
  return np.maximum(1 - distance, 0).astype(np.float32)


def spread_factor(step, uses):
  """One pixel that is enlarged to be a factor of a map is a factor as it is."""
  if step.op != 'mul':
    return None
  for n, value in enumerate(step.inputs):
    if is_step(value, 'resize') and value.inputs[0].shape[1:3] == (1, 1):
      inputs = (*step.inputs[:n], value.inputs[0], *step.inputs[n + 1 :])
      return Step('mul', inputs, step.attributes, step.shape, step.scope)
  return None


RULES = (
  quotient,
  difference_of_two,
  limit,
  mean_of_map,
  resize,
  spread_factor,
)

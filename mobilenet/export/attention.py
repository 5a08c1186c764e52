"""Multi-query attention as two products of matrices for an image, without transposes.

All heads share one key and one value: queries of every pixel and head are the rows of
one matrix, (pixels * heads, d), whatever the axes that they were written with.
"""

from mobilenet.export.steps import Constant, Step, Value, is_step, number


def to_matmul(step, uses):
  """A rule: both products of `blocks.MultiQuery`, found at the second."""
  mixed = _product(step, 'nhqk')
  if mixed is None or mixed[2] != 'nhqk,nkd->nqhd' or not is_step(mixed[0], 'softmax'):
    return None
  weights, value, _ = mixed
  scores, factor = weights.inputs[0], None
  if is_step(scores, 'mul') and number(scores.inputs[1]) is not None:
    scores, factor = scores.inputs
  scored = _product(scores, 'nqhd')
  if scored is None or scored[2] != 'nqhd,nkd->nhqk':
    return None
  query, key, _ = scored
  _, pixels, heads, width = query.shape
  rows, keys = (1, pixels * heads), key.shape[1]

  def made(op, shape, *inputs: Value, **attributes) -> Step:
    return Step(op, inputs, attributes, shape, step.scope)

  def reshaped(x: Value, shape) -> Step:
    return Step('reshape', (x,), {'shape': shape}, shape, step.scope)

  query = reshaped(query, (*rows, width))
  x = made('matmul', (*rows, keys), query, key, transposed=True)
  x = x if factor is None else made('mul', x.shape, x, factor)
  x = made('softmax', x.shape, x)
  x = made('matmul', (*rows, width), x, value, transposed=False)
  return reshaped(x, step.shape)


def _product(step: Value, letters: str) -> tuple[Value, Value, str] | None:
  """The operands of four and of three axes, and the formula with the former's letters.

  'k' is the axis that the latter has alone, or 'd' if that is taken.
  """
  if not is_step(step, 'einsum') or len(step.inputs) != 2:
    return None
  if any(isinstance(value, Constant) for value in step.inputs):
    return None
  given, made = step.attributes['formula'].split('->')
  operands = sorted(
    zip(step.inputs, given.split(','), strict=True), key=lambda pair: -len(pair[1])
  )
  (four, own), (three, other) = operands
  if len(own) != 4 or len(other) != 3:
    return None
  known = dict(zip(own, letters, strict=True))
  spare = iter('d' if 'k' in letters else 'k')
  for letter in other:
    if letter not in known:
      known[letter] = next(spare, '?')
  first, second, third = (
    ''.join(known[letter] for letter in part) for part in (own, other, made)
  )
  return four, three, f'{first},{second}->{third}'

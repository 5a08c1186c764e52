"""Op strings: `'inception_crop(224)|flip|value_range(-1, 1)'` to a tuple of ops.

The string is parsed as a Python expression and never run: only names, calls and
literal arguments are understood.
"""

import ast
import dataclasses
import inspect
from typing import Any

from input_pipeline import catalogue
from input_pipeline.errors import DataError, nearest

# Kind of string -> ops that may stand in it.
KINDS = {
  'train': catalogue.IMAGE_OPS,
  'eval': catalogue.IMAGE_OPS,
  'batch': catalogue.BATCH_OPS,
}


@dataclasses.dataclass(frozen=True)
class Op:
  """One op of a string with all its arguments, the defaults filled in."""

  name: str
  args: dict[str, Any]


def parse_ops(string: str, kind: str = 'train') -> tuple[Op, ...]:
  """Ops of a string, in order.

  Args:
    string: ops separated by `|`, with literal arguments; empty for none.
    kind: 'train', 'eval' (no random op may stand in it) or 'batch' (mixup, cutmix).

  Returns:
    A tuple of `Op`.

  Raises:
    DataError: syntax, an unknown op (with the nearest names), wrong arguments, or an
      order that cannot work; the message quotes the string.
  """
  if kind not in KINDS:
    raise DataError(f'unknown kind of op string {kind!r}: {nearest(kind, KINDS)}')
  if not isinstance(string, str):
    raise DataError(f'an op string must be a str, not {type(string).__name__}')
  if not string.strip():
    return ()
  try:
    ops = tuple(_op(node, kind) for node in _chain(string))
    _check_order(ops, kind)
  except DataError as error:
    raise DataError(f'op string {string!r}: {error}') from None
  return ops


def check_ops(string: str, kind: str = 'train') -> None:
  """Raises the DataError of `parse_ops`, if there is one, and returns nothing."""
  parse_ops(string, kind)


def _chain(string):
  """The expressions between the `|` signs."""
  try:
    node = ast.parse(string.strip(), mode='eval').body
  except (SyntaxError, ValueError) as error:
    place = f' at character {error.offset}' if getattr(error, 'offset', None) else ''
    raise DataError(
      f'cannot be read{place}; write it like resize(64)|flip|value_range(-1, 1)'
    ) from None
  nodes = []
  while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
    nodes.append(node.right)
    node = node.left
  return [node, *reversed(nodes)]


def _op(node, kind):
  call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
  if not isinstance(call.func, ast.Name):
    raise DataError(f'{ast.unparse(node)!r} is not an op such as flip or resize(64)')
  name, known = call.func.id, KINDS[kind]
  if name not in known:
    elsewhere = [k for k, ops in KINDS.items() if name in ops]
    if elsewhere:
      raise DataError(f'{name} belongs into the {elsewhere[0]} ops, not the {kind} ops')
    raise DataError(f'unknown op {name!r}: {nearest(name, known)}')
  if kind == 'eval' and name not in catalogue.FIXED_OPS:
    fixed = ', '.join(catalogue.FIXED_OPS)
    raise DataError(
      f'{name} is random and cannot be used in evaluation; usable: {fixed}'
    )
  try:
    args = [ast.literal_eval(arg) for arg in call.args]
    kwargs = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
  except ValueError:
    raise DataError(
      f'the arguments of {name} must be literal numbers, strings or tuples: '
      f'{ast.unparse(node)!r}'
    ) from None
  signature = inspect.signature(known[name])
  try:
    signature.bind(*args, **kwargs)
  except TypeError as error:
    raise DataError(f'{name}: {error}; it is {name}{signature}') from None
  try:
    return Op(name, known[name](*args, **kwargs))
  except DataError as error:
    raise DataError(f'{name}: {error}') from None


def _check_order(ops, kind):
  if kind == 'batch':
    total = sum(op.args['prob'] for op in ops)
    if total > 1 + 1e-6:
      raise DataError(
        f'a batch gets one of the ops at most, so their prob must add up to 1 or less, '
        f'not {total:g}; write for example mixup(0.8, prob=0.5)|cutmix(1.0, prob=0.5)'
      )
    return
  for op in ops[:-1]:
    if op.name in catalogue.LAST_OPS:
      raise DataError(f'{op.name} leaves the scale 0..255 and must be the last op')

"""Networks as text: the rows of a table, as a person would type them, and back.

    text = to_text(zoo.create('mobilenet_v2').network)
    # "Conv(3, 32, stride=2, act='relu6')|Inverted(3, 1, 16)|...|Head()"
    network = from_text(text)

What a search finds has no name in the tables: a config, a weight file and a person pass
it on in this form. Only what a network is counts: its rows and its head, the rounding
of channels, and of its style what the variables depend on. How it is computed (type,
lowering, memory) is the config's.
"""

import ast
import dataclasses
import difflib
import typing

from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.classifier import BLOCKS, HEADS
from mobilenet.models.rows import PRELU, ModelError, Network, Style

# In front of the rows, where it differs from the defaults: divisor, and the style's.
WHOLE = 'Network'
HOW = ('dtype', 'lowering', 'remat')  # fields of the style that say how, not what
KINDS = {kind.__name__: kind for kind in (*BLOCKS, *HEADS)}
SEPARATOR = '|'
AT_LEAST_ONE = ('kernel', 'out', 'stride', 'dilation', 'groups', 'size')


def to_text(network: Network) -> str:
  """The network in one line; `from_text` gives an equal one back.

  Raises:
    ModelError: it has a width multiplier, whose channels would have to be written out.
  """
  if network.width != 1.0:
    raise ModelError(
      f'a network of width {network.width:g} is no table: write its channels into its '
      'rows, and give it width 1'
    )
  said = {
    field: value
    for field, value in _differing(network.style, Style()).items()
    if field not in HOW
  }
  if network.divisor != _default(Network, 'divisor'):
    said = {'divisor': network.divisor, **said}
  first = [_call(WHOLE, (), said)] if said else []
  return SEPARATOR.join([*first, *map(row_text, (*network.rows, network.head))])


def row_text(row) -> str:
  """A row as Python: "Inverted(5, 4.0, 40, stride=2, act='hard_swish')"."""
  needed = [
    getattr(row, field.name)
    for field in dataclasses.fields(row)
    if field.default is dataclasses.MISSING
  ]
  given = {
    field.name: getattr(row, field.name)
    for field in dataclasses.fields(row)
    if field.default is not dataclasses.MISSING
    and getattr(row, field.name) != field.default
  }
  return _call(type(row).__name__, needed, given)


def from_text(text: str) -> Network:
  """The network that a text describes, of width 1.

  Raises:
    ModelError: a row does not exist or has a wrong field; the line shows it.
  """
  parts = [part.strip() for part in text.split(SEPARATOR)]
  said, style = {}, Style()
  if parts[0].startswith(f'{WHOLE}('):
    said = _parsed(parts.pop(0), WHOLE, ('divisor', *_fields(Style)))[1]
    style = dataclasses.replace(
      style, **{field: value for field, value in said.items() if field != 'divisor'}
    )
  rows = [row_of(part) for part in parts]
  if len(rows) < 2 or type(rows[-1]) not in HEADS:
    raise ModelError(
      f'the network {_shown(text)} does not end with a head: add |Head() at its end'
    )
  for row in rows[:-1]:
    if type(row) in HEADS:
      raise ModelError(
        f'the network has {row_text(row)} before its end: one head ends it'
      )
  divisor = said.get('divisor', _default(Network, 'divisor'))
  return Network(tuple(rows[:-1]), rows[-1], divisor=divisor, style=style)


def row_of(text: str):
  """The row that a text describes.

  Raises:
    ModelError: there is no such row, or a field is wrong.
  """
  name = text.partition('(')[0].strip()
  if name not in KINDS:
    near = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.5)
    hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(KINDS)}'
    raise ModelError(f'the row {_shown(text)} does not exist; {hint}')
  kind = KINDS[name]
  positional, named = _parsed(text, name, _fields(kind))
  try:
    row = kind(*positional, **named)
  except TypeError as error:
    reason = str(error).replace('__init__()', name).partition('.')[2] or str(error)
    raise ModelError(f'the row {_shown(text)} is wrong: {reason}') from None
  for field in dataclasses.fields(row):
    value = getattr(row, field.name)
    if not _fits(value, field):
      raise ModelError(
        f'the row {_shown(text)} is wrong: {field.name} cannot be {value!r}'
      )
  return row


def to_python(network: Network, name: str = 'SEARCHED') -> str:
  """The network as Python, a row a line: to be pasted into a file of `models`."""
  *rows, head = to_text(network).split(SEPARATOR)
  whole = rows.pop(0) if rows[0].startswith(f'{WHOLE}(') else ''
  lines = [f'{name} = Network(', '  rows=(', *(f'    {row},' for row in rows), '  ),']
  lines.append(f'  head={head},')
  if whole:
    _, said = _parsed(whole, WHOLE, ('divisor', *_fields(Style)))
    if 'divisor' in said:
      lines.append(f'  divisor={said.pop("divisor")},')
    if said:
      lines.append(f'  style={_call("Style", (), said)},')
  return '\n'.join([*lines, ')  # fmt: skip'])


def _call(name, positional, named) -> str:
  arguments = [*map(repr, positional), *(f'{k}={v!r}' for k, v in named.items())]
  return f'{name}({", ".join(arguments)})'


def _parsed(text: str, name: str, known) -> tuple[list, dict]:
  """(positional, named) arguments of a call of literals."""
  try:
    call = ast.parse(text, mode='eval').body
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    assert call.func.id == name
    positional = [ast.literal_eval(each) for each in call.args]
    named = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
  except (SyntaxError, ValueError, AssertionError):
    raise ModelError(
      f'{_shown(text)} cannot be read: a row is written {name}(3, 16, stride=2)'
    ) from None
  for field in named:
    if field not in known:
      near = difflib.get_close_matches(str(field), known, n=1, cutoff=0.5)
      hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(known)}'
      raise ModelError(f'{_shown(text)}: {name} has no field {field!r}; {hint}')
  return positional, named


def _fits(value, field: dataclasses.Field) -> bool:
  """Whether a field of a row can have a value."""
  if field.name == 'act' or field.name.endswith('_act'):
    return value in (*ACTIVATIONS, PRELU)
  if typing.get_origin(field.type) is tuple:
    return isinstance(value, tuple) and all(isinstance(n, int) for n in value)
  if isinstance(value, bool):
    return field.type is bool
  if isinstance(value, int | float) and value < (field.name in AT_LEAST_ONE):
    return False
  return isinstance(value, int | float if field.type is float else field.type)


def _differing(one, other) -> dict:
  return {
    field: getattr(one, field)
    for field in _fields(type(one))
    if getattr(one, field) != getattr(other, field)
  }


def _fields(kind) -> tuple[str, ...]:
  return tuple(field.name for field in dataclasses.fields(kind))


def _default(kind, name: str):
  return next(f.default for f in dataclasses.fields(kind) if f.name == name)


def _shown(text: str) -> str:
  return repr(text if len(text) <= 80 else text[:79] + '…')

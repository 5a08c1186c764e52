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
from collections.abc import Sequence

from mobilenet.models import choices
from mobilenet.models.activations import ACTIVATIONS
from mobilenet.models.classifier import BLOCKS, HEADS
from mobilenet.models.rows import PRELU, ModelError, Network, Style

_EXAMPLE = 'in front of the rows it is written Network(divisor=4)'
# In front of the rows, where it differs from the defaults: divisor, and the style's.
WHOLE = 'Network'
HOW = ('dtype', 'lowering', 'remat')  # fields of the style that say how, not what
KINDS = {kind.__name__: kind for kind in (*BLOCKS, *HEADS)}
SEPARATOR = '|'
# TypeErrors are of keys that are lists, the last two of texts nested too deeply.
_UNREADABLE = (
  *(SyntaxError, ValueError, AssertionError),
  *(TypeError, MemoryError, RecursionError),
)
# What a network as a whole says of itself.
OF_WHOLE = {'divisor': int} | {
  field.name: field.type for field in dataclasses.fields(Style) if field.name not in HOW
}


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
  whole = style_text(network)
  first = [whole] if whole else []
  return SEPARATOR.join([*first, *map(row_text, (*network.rows, network.head))])


def style_text(network: Network) -> str:
  """What no row says, "Network(divisor=4, padding='torch')"; '' of the defaults."""
  said = {
    field: value
    for field, value in _differing(network.style, Style()).items()
    if field not in HOW
  }
  if network.divisor != _default(Network, 'divisor'):
    said = {'divisor': network.divisor, **said}
  return _call(WHOLE, (), said) if said else ''


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
    said = _whole_of(parts.pop(0))
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
    named = choices.OF_ROWS.get(field.name)
    if field.name == 'act':
      named = (*ACTIVATIONS, *([] if kind in HEADS else [PRELU]))
    if not _fits(value, field.name, field.type, named):
      raise ModelError(
        f'the row {_shown(text)} is wrong: {field.name} cannot be {_short(repr(value))}'
      )
  if not choices.carries_stride(row):
    raise ModelError(
      f'the row {_shown(text)} is wrong: nothing in it carries a stride of {row.stride}'
    )
  return row


def _whole_of(text: str) -> dict[str, typing.Any]:
  """What a network says of itself, in front of its rows."""
  positional, said = _parsed(text, WHOLE, OF_WHOLE)
  if positional:
    raise ModelError(f'{_shown(text)} has a value without a name: {_EXAMPLE}')
  for field, value in said.items():
    if not _fits(value, field, OF_WHOLE[field], choices.OF_STYLE.get(field)):
      raise ModelError(f'{_shown(text)}: {field} cannot be {_short(repr(value))}')
  return said


def to_python(network: Network, name: str = 'SEARCHED') -> str:
  """The network as Python, a row a line: to be pasted into a file of `models`."""
  *rows, head = to_text(network).split(SEPARATOR)
  whole = rows.pop(0) if rows[0].startswith(f'{WHOLE}(') else ''
  lines = [f'{name} = Network(', '  rows=(', *(f'    {row},' for row in rows), '  ),']
  lines.append(f'  head={head},')
  if whole:
    said = _whole_of(whole)
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
  except _UNREADABLE:
    example = _EXAMPLE if name == WHOLE else 'a row is written Conv(3, 16, stride=2)'
    raise ModelError(f'{_shown(text)} cannot be read: {example}') from None
  for field in named:
    if field not in known:
      near = difflib.get_close_matches(str(field), known, n=1, cutoff=0.5)
      hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(known)}'
      raise ModelError(f'{_shown(text)}: {name} has no field {field!r}; {hint}')
  return positional, named


def _fits(value, name: str, kind, named: Sequence[str] | None) -> bool:
  """Whether a field can have a value.

  Args:
    value: of it.
    name: of it.
    kind: its type.
    named: the texts that it can be; None for any.
  """
  if typing.get_origin(kind) is tuple:
    return isinstance(value, tuple) and all(_fits(n, '', int, None) for n in value)
  if isinstance(value, bool):
    return kind is bool
  if isinstance(value, int | float):
    most = 1 if name in choices.SHARES else choices.MOST
    least = value >= 0 if name in choices.MAY_BE_ZERO else value > 0
    return least and value <= most and isinstance(value, _numbers(kind))
  if isinstance(value, str) and named is not None:
    return value in named
  return isinstance(value, kind)


def _numbers(kind):
  return int | float if kind is float else kind


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
  return repr(_short(text))


def _short(text: str) -> str:
  return text if len(text) <= 80 else text[:79] + '…'

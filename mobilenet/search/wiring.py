"""Which arrays of a network share a channel: what has to shrink together.

    wires = wiring.of(network)
    wires.sizes    # {'stem': 32, 'block_00': 16, 'block_01/expand': 96, ...}
    wires.arrays   # where in the variables the channels of each group lie

A group is named for the row that makes it. Rows that a residual joins share the group
of the first of them, so that only whole stages change their width.
"""

from typing import NamedTuple

from mobilenet.models import rows as row_kinds
from mobilenet.models.layers import squeezed_width
from mobilenet.models.rows import PRELU, Head, ModelError, Network, make_divisible

PARAMS, STATISTICS = 'params', 'batch_stats'
EXPAND, SQUEEZE = 'expand', 'se'  # in the names of groups inside a row
HIDDEN = 'hidden'  # the group of the head's hidden layer


class Array(NamedTuple):
  """An array of the variables, one of whose axes runs over the channels of a group.

  makes: whether it is a kernel whose filters make these channels (not a depthwise one,
  which hands them on).
  """

  collection: str
  path: tuple[str, ...]
  axis: int
  group: str
  makes: bool = False


class Row(NamedTuple):
  """A row at work: its module's name, its channels and the groups that they are in.

  inner is None where the row has no channels of its own between what comes in and what
  goes out; squeezed where it has no squeeze-and-excite.
  """

  name: str
  row: object
  channels_in: int
  inner: int | None
  squeezed: int | None
  out: int
  group_in: str | None
  group_inner: str | None
  group_out: str | None
  joins: bool  # a residual


class Wiring(NamedTuple):
  rows: tuple[Row, ...]
  sizes: dict[str, int]
  arrays: tuple[Array, ...]


def module_name(number: int) -> str:
  """The name of row `number`, counted from the stem, in the variables."""
  return 'stem' if number == 0 else f'block_{number - 1:02d}'


def of(network: Network) -> Wiring:
  """The groups of a network's channels.

  Raises:
    ModelError: it has rows or a head that a search cannot change.
  """
  if not isinstance(network.head, Head):
    raise ModelError(
      f'a search cannot change a network with {type(network.head).__name__}'
    )
  if not network.style.norm:
    raise ModelError('a search changes networks before their norms are folded')
  rows, sizes, arrays = [], {}, []
  group, channels = None, 3
  for number, row in enumerate(network.rows):
    if type(row) not in _READ:
      known = ', '.join(kind.__name__ for kind in _READ)
      raise ModelError(
        f'a search cannot change {type(row).__name__} rows; it changes {known}'
      )
    at = _READ[type(row)](network, row, module_name(number), channels, group)
    rows.append(at)
    sizes |= {
      name: size
      for name, size in (
        (at.group_inner, at.inner),
        (f'{at.name}/{SQUEEZE}', at.squeezed),
        (at.group_out, at.out),
      )
      if size is not None
    }
    arrays += _ARRAYS[type(row)](network, at)
    group, channels = at.group_out, at.out
  head = network.head
  if head.hidden:
    sizes[HIDDEN] = head.exact or network.scale(head.hidden, shrink=False)
    arrays += _dense(('head', 'hidden'), group, HIDDEN, bias=not head.norm)
    if head.norm:
      arrays += _norm(('head',), HIDDEN)
    group = HIDDEN
  arrays.append(Array(PARAMS, ('head', 'classifier', 'kernel'), 0, group))
  return Wiring(tuple(rows), sizes, tuple(arrays))


# ---- channels of each kind of row ---------------------------------------------------


def _conv(network, row, name, channels, group):
  if row.groups != 1:
    raise ModelError(f'a search cannot change convolutions in {row.groups} groups')
  out = row.exact or network.scale(row.out, row.shrink)
  return Row(name, row, channels, None, None, out, group, None, name, False)


def _pool(network, row, name, channels, group):
  return Row(name, row, channels, None, None, channels, group, None, group, False)


def _separable(network, row, name, channels, group):
  if not row.between:
    raise ModelError('a search cannot change Separable rows without a norm between')
  out = network.scale(row.out)
  return Row(name, row, channels, None, None, out, group, None, name, False)


def _inverted(network, row, name, channels, group):
  inner, out = _inner(network, row, channels), network.scale(row.out)
  expands = inner > channels or type(row) is not row_kinds.Inverted
  squeezed = None
  if getattr(row, 'se', 0):
    squeezed = squeezed_width(network.style, row.se, channels, inner)
  joins = row.residual and row.stride == 1 and out == channels
  return Row(
    name,
    row,
    channels,
    inner if expands else None,
    squeezed,
    out,
    group,
    f'{name}/{EXPAND}' if expands else group,
    group if joins else name,
    joins,
  )


def _inner(network, row, channels):
  return make_divisible(channels * row.expand, network.divisor)


_READ = {
  row_kinds.Conv: _conv,
  row_kinds.Pool: _pool,
  row_kinds.Separable: _separable,
  row_kinds.Inverted: _inverted,
  row_kinds.Fused: _inverted,
  row_kinds.Universal: _inverted,
}

# ---- arrays of each kind of row -----------------------------------------------------


def _of_conv(network, at):
  return _unit(network, (at.name,), at.row.act, at.group_in, at.group_out)


def _of_pool(network, at):
  return []


def _of_separable(network, at):
  return [
    *_unit(network, (at.name, 'depthwise'), at.row.act, None, at.group_in),
    *_unit(network, (at.name, 'pointwise'), at.row.act, at.group_in, at.group_out),
  ]


def _of_inverted(network, at):
  row, inner = at.row, at.group_inner
  arrays = []
  if at.inner is not None:
    arrays += _unit(network, (at.name, 'expand'), row.act, at.group_in, inner)
  arrays += _unit(network, (at.name, 'depthwise'), row.act, None, inner)
  if at.squeezed is not None:
    squeezed = f'{at.name}/{SQUEEZE}'
    se = ('backbone', at.name, 'se')
    arrays += _dense((*se, 'reduce'), inner, squeezed)
    arrays += [
      a._replace(makes=False) for a in _dense((*se, 'expand'), squeezed, inner)
    ]
  return arrays + _unit(network, (at.name, 'project'), 'linear', inner, at.group_out)


def _of_fused(network, at):
  return [
    *_unit(network, (at.name, 'expand'), at.row.act, at.group_in, at.group_inner),
    *_unit(network, (at.name, 'project'), 'linear', at.group_inner, at.group_out),
  ]


def _of_universal(network, at):
  row, inner, arrays = at.row, at.group_inner, []
  if row.start:
    arrays += _unit(network, (at.name, 'start'), 'linear', None, at.group_in)
  arrays += _unit(network, (at.name, 'expand'), row.act, at.group_in, inner)
  if row.middle:
    arrays += _unit(network, (at.name, 'depthwise'), row.act, None, inner)
  arrays += _unit(network, (at.name, 'project'), 'linear', inner, at.group_out)
  if row.layer_scale:
    path = ('backbone', at.name, 'scale', 'layer_scale')
    arrays.append(Array(PARAMS, path, 0, at.group_out))
  return arrays


_ARRAYS = {
  row_kinds.Conv: _of_conv,
  row_kinds.Pool: _of_pool,
  row_kinds.Separable: _of_separable,
  row_kinds.Inverted: _of_inverted,
  row_kinds.Fused: _of_fused,
  row_kinds.Universal: _of_universal,
}


def _unit(network, names, act, group_in, group_out) -> list[Array]:
  """A `ConvNorm`; `group_in` is None for images, and for a depthwise convolution."""
  path = ('backbone', *names)
  kernel = (*path, 'conv', 'kernel')
  makes = group_in is not None or names == ('stem',)
  arrays = [Array(PARAMS, kernel, 3, group_out, makes)]
  if group_in is not None:
    arrays.append(Array(PARAMS, kernel, 2, group_in))
  arrays += _norm(path, group_out)
  if act == PRELU:
    arrays.append(Array(PARAMS, (*path, 'prelu', 'slope'), 0, group_out))
  return arrays


def _norm(path, group) -> list[Array]:
  return [
    *(Array(PARAMS, (*path, 'norm', name), 0, group) for name in ('scale', 'bias')),
    *(Array(STATISTICS, (*path, 'norm', name), 0, group) for name in ('mean', 'var')),
  ]


def _dense(path, group_in, group_out, bias=True) -> list[Array]:
  arrays = [
    Array(PARAMS, (*path, 'kernel'), 0, group_in),
    Array(PARAMS, (*path, 'kernel'), 1, group_out, True),
  ]
  return arrays + [Array(PARAMS, (*path, 'bias'), 0, group_out)] * bias

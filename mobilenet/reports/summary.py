"""A network layer by layer: shapes, parameters and multiply-adds."""

import collections.abc
import os
import pathlib
import typing

import rich.console

from mobilenet.reports import amounts, csv_file, terminal


class Layer(typing.Protocol):
  """What a row needs; the records of the counting in `mobilenet.models` have it."""

  name: str  # path, 'backbone/block_03/depthwise'
  kind: str
  input_shape: tuple
  output_shape: tuple
  parameters: int
  multiply_adds: int


class Row(typing.NamedTuple):
  """A row of the summary: a layer, or the layers of a group added up."""

  name: str
  kind: str
  input_shape: tuple
  output_shape: tuple
  parameters: int
  multiply_adds: int


def group(
  layers: collections.abc.Iterable[Layer], depth: int | None = None
) -> list[Row]:
  """Adds layers up along their paths, in the order given.

  Args:
    layers: records in the order of computation.
    depth: None for every layer; 1 for every block and every layer outside one,
      2 for the parts of a block, and so on, counted below the top-level module
      ('backbone/block_03' is at depth 1); 0 for the total alone.

  Returns:
    Rows; a group has the input shape of its first layer and the output shape of its
    last one, and its kind says how many layers it has.
  """
  layers = list(layers)
  if depth is not None and depth < 0:
    raise ValueError(f'depth is None or at least 0, not {depth}')
  groups: dict[str, list[Layer]] = {}
  if depth is None:
    return [_row(layer.name, [layer]) for layer in layers]
  if depth == 0:
    return [_row('total', layers)] if layers else []
  for layer in layers:
    path = '/'.join(layer.name.split('/')[: depth + 1])
    groups.setdefault(path, []).append(layer)
  return [_row(path, members) for path, members in groups.items()]


def _row(name: str, members: list[Layer]) -> Row:
  return Row(
    name=name,
    kind=members[0].kind if len(members) == 1 else f'{len(members)} layers',
    input_shape=tuple(members[0].input_shape),
    output_shape=tuple(members[-1].output_shape),
    parameters=sum(int(layer.parameters) for layer in members),
    multiply_adds=sum(int(layer.multiply_adds) for layer in members),
  )


def print_summary(
  layers: collections.abc.Iterable[Layer],
  title: str,
  *,
  depth: int | None = None,
  console: rich.console.Console | None = None,
) -> None:
  """Prints the rows of `group(layers, depth)` and their total as a table.

  A share is of the network's multiply-adds. If the terminal is too narrow for the
  table, the least important columns are left out: share, input, kind.
  """
  layers = list(layers)
  rows = [] if depth == 0 else group(layers, depth)
  total = _row('total', layers) if layers else Row('total', '', (), (), 0, 0)
  console = console or rich.console.Console()
  left_out = []
  table = _table(title, rows, total, left_out)
  for heading in ('share', 'input', 'kind'):
    fits = terminal.full_width(table, console) <= console.width
    if fits or not console.is_terminal:
      break
    left_out.append(heading)
    table = _table(title, rows, total, left_out)
  terminal.show(table, console)


_COLUMNS = {
  'layer': 'left',
  'kind': 'left',
  'input': 'right',
  'output': 'right',
  'parameters': 'right',
  'multiply-adds': 'right',
  'share': 'right',
}


def _table(title: str, rows: list[Row], total: Row, left_out: list[str]):
  headings = [heading for heading in _COLUMNS if heading not in left_out]
  table = terminal.make_table(title, [(name, _COLUMNS[name]) for name in headings])
  for row in rows:
    cells = _cells(row, total.multiply_adds)
    terminal.add_row(table, *(cells[heading] for heading in headings))
  table.add_section()
  cells = _cells(total, total.multiply_adds)
  terminal.add_row(table, *(cells[heading] for heading in headings), style='bold')
  return table


def _cells(row: Row, all_multiply_adds: int) -> dict[str, str]:
  share = row.multiply_adds / all_multiply_adds if all_multiply_adds else None
  return {
    'layer': row.name,
    'kind': row.kind,
    'input': _shape(row.input_shape, '×'),
    'output': _shape(row.output_shape, '×'),
    'parameters': f'{row.parameters:,}',
    'multiply-adds': f'{row.multiply_adds:,}',
    'share': amounts.share(share),
  }


def _shape(shape: tuple, sign: str) -> str:
  return sign.join('?' if size is None else str(size) for size in shape)


def write_summary(
  path: str | os.PathLike,
  layers: collections.abc.Iterable[Layer],
  *,
  depth: int | None = None,
) -> pathlib.Path:
  """Writes `group(layers, depth)` as CSV; shapes as '112x112x16', no total.

  Raises:
    TrainingError: the file cannot be written.
  """
  rows = [
    [
      *row[:2],
      _shape(row.input_shape, 'x'),
      _shape(row.output_shape, 'x'),
      row.parameters,
      row.multiply_adds,
    ]
    for row in group(layers, depth)
  ]
  return csv_file.write(path, Row._fields, rows)

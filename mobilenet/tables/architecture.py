"""A published architecture table, made from our own rows, with counts line by line."""

import dataclasses
import itertools

from mobilenet.models import counting, zoo
from mobilenet.models.rows import Inverted
from mobilenet.tables.rows import Architecture, compare, legend, millions
from mobilenet.tables.sheet import Sheet

RESOLUTION = 224
ACTIVATIONS = {'relu': 'RE', 'hard_swish': 'HS'}
HEADINGS = {
  'v2': ('t', 'c', 'n', 's'),
  'v3': ('exp size', '#out', 'SE', 'NL', 's'),
}


@dataclasses.dataclass(frozen=True)
class Line:
  """A line of the table: what the paper prints of it, and its counts."""

  input: str
  operator: str
  cells: tuple[str, ...]  # in the order of the family's headings
  parameters: int = 0
  multiply_adds: int = 0


def lines(table: Architecture) -> list[Line]:
  """The lines of a table in the paper's grouping; the last one is the classifier.

  V2's table has a line for the repetitions of a block, V3's one for every block.
  """
  v2 = _family(table) == 'v2'
  model = zoo.create(table.model)
  network, parts = model.network, _by_part(counting.layers(model, RESOLUTION))
  made = []
  # Rows that the paper prints as one: the same expansion and width, one after another.
  groups = itertools.groupby(
    enumerate(network.rows),
    key=lambda pair: (
      (pair[1].expand, pair[1].out) if v2 and isinstance(pair[1], Inverted) else pair[0]
    ),
  )
  for _, group in groups:
    numbers, rows = zip(*group, strict=True)
    layers = [layer for n in numbers for layer in parts[n]]
    describe = _v2_cells if v2 else _v3_cells
    made.append(
      Line(
        _size(layers[0].input_shape),
        _operator(rows[0], v2),
        describe(rows, layers),
        *counting.totals(layers),
      )
    )
  return made + _head_lines(parts, network, v2)


def make_sheet(name: str, table: Architecture) -> Sheet:
  """Cells for people and records for programs, with a line for the whole network."""
  made = lines(table)
  parameters = sum(line.parameters for line in made)
  multiply_adds = sum(line.multiply_adds for line in made)
  headings = HEADINGS[_family(table)]
  rows = [
    (
      line.input,
      line.operator,
      *line.cells,
      f'{line.parameters:,}',
      f'{line.multiply_adds:,}',
    )
    for line in made
  ]
  empty = ('',) * len(headings)
  marks = (
    compare(table.parameters, parameters),
    compare(table.multiply_adds, multiply_adds),
  )
  rows.append(('', 'all', *empty, f'{parameters:,}', f'{multiply_adds:,}'))
  published = (
    f'{table.parameters} M {marks[0]}'.strip(),
    f'{table.multiply_adds} M {marks[1]}'.strip(),
  )
  rows.append(('', 'all, as published', *empty, *published))
  records = [
    {
      'input': line.input,
      'operator': line.operator,
      **dict(zip(headings, line.cells, strict=True)),
      'parameters': line.parameters,
      'multiply_adds': line.multiply_adds,
    }
    for line in (*made, Line('', 'all', empty, parameters, multiply_adds))
  ]
  records.append(
    {
      **dict.fromkeys(records[0]),
      'operator': 'all, as published',
      'parameters': round(1e6 * millions(table.parameters)),
      'multiply_adds': round(1e6 * millions(table.multiply_adds)),
    }
  )
  columns = ('input', 'operator', *headings, 'parameters', 'multiply-adds')
  return Sheet(
    name=name,
    title=table.title,
    source=table.source,
    columns=tuple(
      (heading, 'left' if heading in ('input', 'operator', 'NL', 'SE') else 'right')
      for heading in columns
    ),
    rows=tuple(rows),
    records=tuple(records),
    remarks=(
      f'Lines are those of `{table.model}` at {RESOLUTION} px with 1,000 classes; '
      'parameters and multiply-adds are counted.',
      *legend(marks),
    ),
    notes=table.notes,
  )


def _family(table: Architecture) -> str:
  return table.model.split('_')[1]


def _by_part(layers) -> dict:
  """Layers by the number of their row; those of the head by their name."""
  parts = {}
  for layer in layers:
    room, part = layer.name.split('/')[:2]
    if room == 'backbone':
      part = 0 if part == 'stem' else int(part.removeprefix('block_')) + 1
    parts.setdefault(part, []).append(layer)
  return parts


def _size(shape: tuple[int, ...]) -> str:
  return f'{shape[0]}²×{shape[2]}' if len(shape) == 3 else f'1²×{shape[0]}'


def _operator(row, v2: bool) -> str:
  if isinstance(row, Inverted):
    return 'bottleneck' if v2 else f'bneck, {row.kernel}x{row.kernel}'
  return 'conv2d' if row.kernel > 1 and v2 else f'conv2d, {row.kernel}x{row.kernel}'


def _v2_cells(rows, layers) -> tuple[str, ...]:
  first = rows[0]
  expand = f'{first.expand:g}' if isinstance(first, Inverted) else '-'
  return expand, str(first.out), str(len(rows)), str(first.stride)


def _v3_cells(rows, layers) -> tuple[str, ...]:
  (row,) = rows
  inner, squeeze = '-', '-'
  if isinstance(row, Inverted):
    depthwise = next(layer for layer in layers if layer.kind.startswith('depthwise'))
    inner, squeeze = str(depthwise.input_shape[-1]), '✓' if row.se else '-'
  return inner, str(row.out), squeeze, ACTIVATIONS[row.act], str(row.stride)


def _head_lines(parts: dict, network, v2: bool) -> list[Line]:
  """Pool, V3's hidden layer, the classifier; k is the number of classes."""
  last = next(reversed(parts[len(network.rows) - 1]))
  side = last.output_shape[0]
  pool = ('-', '-', '1', '-') if v2 else ('-', '-', '-', '-', '1')
  made = [
    Line(
      _size(last.output_shape), f'{"avgpool" if v2 else "pool"}, {side}x{side}', pool
    )
  ]
  for name in ('hidden', 'classifier'):
    if name not in parts:
      continue
    layers = parts[name]
    out = 'k' if name == 'classifier' else str(layers[0].output_shape[-1])
    act = ACTIVATIONS.get(network.head.act, '-') if name == 'hidden' else '-'
    made.append(
      Line(
        _size(layers[0].input_shape),
        'conv2d, 1x1' if v2 else 'conv2d, 1x1, NBN',
        ('-', out, '1', '-') if v2 else ('-', out, '-', act, '1'),
        *counting.totals(layers),
      )
    )
  return made


def parts(table: Architecture) -> list[tuple[str, int, int]]:
  """(line in words, parameters, multiply-adds) of every line that has any."""
  return [
    (f'{line.input}  {line.operator}', line.parameters, line.multiply_adds)
    for line in lines(table)
    if line.parameters
  ]

"""A published table of results with what is counted, measured and trained here."""

import dataclasses

from mobilenet.tables import our_runs, sizes
from mobilenet.tables.our_runs import Run
from mobilenet.tables.rows import Row, Size, Table, compare, legend, millions
from mobilenet.tables.sheet import Sheet


@dataclasses.dataclass(frozen=True)
class Filled:
  """A row and what stands next to it: counts, marks, latency, the best run."""

  row: Row
  parameters: int | None = None
  multiply_adds: int | None = None
  parameters_mark: str = ''
  multiply_adds_mark: str = ''
  milliseconds: float | None = None
  run: Run | None = None


def fill(table: Table, runs: list[Run], *, measure: bool = False) -> list[Filled]:
  """Counts (and with `measure` times) every network of a table; finds its runs."""
  filled = []
  for row in table.rows:
    if row.model is None:
      filled.append(Filled(row))
      continue
    network = sizes.of_row(row)
    parameters, multiply_adds, norms = sizes.count(network)
    parameters -= 0 if table.norms else norms
    filled.append(
      Filled(
        row,
        parameters,
        multiply_adds,
        compare(row.parameters, parameters),
        compare(row.multiply_adds, multiply_adds),
        sizes.latency(network) if measure and not row.trunk else None,
        our_runs.best(row, runs, table.quality),
      )
    )
  return filled


def make_sheet(name: str, table: Table, filled: list[Filled]) -> Sheet:
  """Cells for people and records for programs of a filled table."""
  measured = any(entry.milliseconds is not None for entry in filled)
  notes, quality = list(table.notes), table.quality.short
  columns = [
    ('model', 'left'),
    ('parameters (M)\npublished', 'right'),
    ('parameters (M)\ncounted', 'right'),
    ('multiply-adds (M)\npublished', 'right'),
    ('multiply-adds (M)\ncounted', 'right'),
    (f'{quality} (%)\n{table.published}', 'right'),
    (f'{quality} (%)\n{table.ours}', 'right'),
  ]
  if measured:
    columns.append((f'latency (ms)\n{sizes.device()}', 'right'))
  columns += [(heading, 'right') for heading in table.other]
  columns += [('run', 'left'), ('note', 'left')]
  rows = []
  for entry in filled:
    row = entry.row
    cells = [
      row.label,
      f'{row.parameters} {entry.parameters_mark}'.strip(),
      _millions(entry.parameters, 3),
      f'{row.multiply_adds} {entry.multiply_adds_mark}'.strip(),
      _millions(entry.multiply_adds, 1),
      row.quality,
      '' if entry.run is None else f'{entry.run.quality:.2f}',
    ]
    if measured:
      cells.append('' if entry.milliseconds is None else f'{entry.milliseconds:.2f}')
    cells += other_cells(table, row)
    cells.append('' if entry.run is None else entry.run.path)
    cells.append(', '.join(str(notes.index(text) + 1) for text in table.notes_of(row)))
    rows.append(tuple(cells))
  marks = {e.parameters_mark for e in filled} | {e.multiply_adds_mark for e in filled}
  return Sheet(
    name=name,
    title=table.title,
    source=table.source,
    columns=tuple(columns),
    rows=tuple(rows),
    records=tuple(_record(table, entry, measured) for entry in filled),
    remarks=tuple(filter(None, (table.remark, *legend(marks)))),
    notes=tuple(notes),
  )


def other_cells(table: Table, row: Row) -> list[str]:
  """The cells of the table's own columns, '' where the row has none."""
  cells = ['' if cell == '-' else cell for cell in row.other.split()]
  return cells + [''] * (len(table.other) - len(cells))


def _record(table: Table, entry: Filled, measured: bool) -> dict:
  row, run, metric = entry.row, entry.run, table.quality.metric
  record = {
    'label': row.label,
    'model': row.model,
    'width': row.width if row.model else None,
    'resolution': _size(row.resolution) if row.model else None,
    **({'options': _options(row)} if any(r.options for r in table.rows) else {}),
    'published_parameters_millions': millions(row.parameters),
    'counted_parameters': entry.parameters,
    'parameters_mark': entry.parameters_mark,
    'published_multiply_adds_millions': millions(row.multiply_adds),
    'counted_multiply_adds': entry.multiply_adds,
    'multiply_adds_mark': entry.multiply_adds_mark,
    f'published_{metric}': row.quality,
    f'our_{metric}': None if run is None else run.quality,
    'run': None if run is None else run.path,
  }
  if measured:
    record['device'] = sizes.device()
    record['measured_ms'] = entry.milliseconds
  record |= dict(zip(table.other, other_cells(table, row), strict=True))
  return record | {
    'source': table.source,
    'note': ' '.join(filter(None, (table.remark, *table.notes_of(row)))),
  }


def _size(size: Size) -> str:
  return str(size) if isinstance(size, int) else 'x'.join(map(str, size))


def _options(row: Row) -> str:
  return ' '.join(f'{name}={value}' for name, value in row.options)


def _millions(count: int | None, digits: int) -> str:
  return '' if count is None else f'{count / 1e6:,.{digits}f}'

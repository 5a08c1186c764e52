"""Figures of the tables: accuracy over cost, and where a network's cost lies."""

import collections

from mobilenet.reports import canvas
from mobilenet.tables import labels
from mobilenet.tables.results import Filled, other_cells
from mobilenet.tables.rows import Table, millions

COLOURS = ('#1f5f99', '#c1611f', '#1b6e53', '#8a3d80', '#8a6d1b', '#b02a3c', '#4a4f57')
MARKERS = 'osD^vP'
ALONE = '#737982'  # a point on no line
# Labels of horizontal axes; other axes are columns of the table.
AXES = {'multiply-adds': 'multiply-adds (M)', 'parameters': 'parameters (M)'}


def accuracy(name: str, table: Table, filled: list[Filled]):
  """A Figure of the table's metric over each axis of the table, on logarithmic axes.

  Hollow marks are published, filled ones are our runs. A mark stands at the published
  cost, or at the counted one if none is printed. An axis on which fewer than half of
  the rows have a value is left out.
  """
  shown = [entry for entry in filled if entry.row.quality]
  axes_of = {
    axis: [_cost(table, entry, axis) for entry in shown] for axis in table.axes
  }
  kept = {
    axis: costs
    for axis, costs in axes_of.items()
    if sum(cost is not None for cost in costs) * 2 >= len(shown)
  }
  figure = canvas.new_figure(1.6 + 4.7 * len(kept), 4.4)
  figure.suptitle(f'{name}: {table.title}', x=0.01, ha='left', fontsize=11)
  panels = figure.subplots(1, len(kept), squeeze=False, sharey=True)[0]
  on_axes = zip(*kept.values(), strict=True)  # of each row its costs
  placed = [entry for entry, costs in zip(shown, on_axes, strict=True) if any(costs)]
  panels[0].set_ylim(_heights(placed))
  for panel, (axis, costs) in zip(panels, kept.items(), strict=True):
    _panel(panel, shown, costs)
    panel.set_xlabel(AXES.get(axis, axis), fontsize=9)
  panels[0].set_ylabel(table.quality.long, fontsize=9)
  _legend(figure, table, shown)
  return figure


def _heights(entries: list[Filled]) -> tuple[float, float]:
  """Limits for all panels: some points have a place in one of them only."""
  values = [float(entry.row.quality) for entry in entries]
  values += [entry.run.quality for entry in entries if entry.run]
  low, high = min(values), max(values)
  margin = 0.12 * (high - low) or 1.0
  return low - margin, high + margin


def _cost(table: Table, entry: Filled, axis: str) -> float | None:
  row = entry.row
  if axis == 'multiply-adds':
    printed, counted = millions(row.multiply_adds), entry.multiply_adds
  elif axis == 'parameters':
    printed, counted = millions(row.parameters), entry.parameters
  else:
    cell = other_cells(table, row)[table.other.index(axis)]
    return float(cell) if cell else None
  if printed is None and counted is not None:
    return counted / 1e6
  return printed


def _lines(entries: list[Filled]) -> dict[str, list[int]]:
  """Names of the lines -> numbers of the entries on them; '' those on none."""
  found = collections.defaultdict(list)
  for n, entry in enumerate(entries):
    for line in entry.row.line.split(' | '):
      found[line].append(n)
  return found


def _styles(entries: list[Filled]) -> dict[str, tuple[str, str]]:
  names = [line for line in _lines(entries) if line]
  styles = {
    line: (COLOURS[n % len(COLOURS)], MARKERS[n % len(MARKERS)])
    for n, line in enumerate(names)
  }
  return styles | {'': (ALONE, 'o')}


def _panel(panel, entries: list[Filled], costs: list[float | None]) -> None:
  styles, texts = _styles(entries), {}
  for line, numbers in _lines(entries).items():
    colour, marker = styles[line]
    points = sorted(
      (costs[n], float(entries[n].row.quality)) for n in numbers if costs[n] is not None
    )
    if not points:
      continue
    panel.plot(
      *zip(*points, strict=True),
      color=colour,
      linewidth=1.1 if line else 0,
      marker=marker,
      markersize=5,
      markerfacecolor='white',
      markeredgewidth=1.1,
    )
    known = [n for n in numbers if costs[n] is not None]
    for n in sorted(known, key=costs.__getitem__):
      if (run := entries[n].run) is not None:
        panel.plot(costs[n], run.quality, marker, color=colour, markersize=5.5)
      words = _words(entries, numbers if line else [n], n)
      if words:
        texts.setdefault((costs[n], float(entries[n].row.quality), words), colour)
  _log_axis(panel, [cost for cost in costs if cost is not None])
  labels.place(panel, [(*key, colour) for key, colour in texts.items()])
  panel.grid(linewidth=0.4, color='#d8dade')
  panel.set_axisbelow(True)
  panel.spines[['top', 'right']].set_visible(False)
  panel.tick_params(labelsize=8)


def _words(entries: list[Filled], line: list[int], n: int) -> str:
  """What distinguishes a point on its line: width, resolution or label."""
  row, rows = entries[n].row, [entries[other].row for other in line]
  models = {other.model for other in rows} - {None}
  if len(rows) == 1 or len(models) > 1:
    return row.label
  if not models:
    return ''  # named by the legend, distinguished by the axis
  if len({other.width for other in rows}) > 1:
    return f'{row.width:g}×'
  if len({other.resolution for other in rows}) > 1:
    return str(row.resolution)
  return row.label


def _log_axis(panel, values: list[float]) -> None:
  from matplotlib import ticker

  low, high = min(values), max(values)
  spread = max(high / low, 2.0)
  middle = (low * high) ** 0.5
  reach = spread**0.5 * spread**0.1 * 1.12
  panel.set_xscale('log')
  panel.set_xlim(middle / reach, middle * reach)
  subs = (1, 2, 5) if spread > 8 else (1, 1.5, 2, 3, 4, 5, 6, 8)
  if spread > 500:
    subs = (1,)
  panel.xaxis.set_major_locator(ticker.LogLocator(subs=subs))
  panel.xaxis.set_major_formatter('{x:,.10g}')
  panel.xaxis.set_minor_locator(ticker.NullLocator())


def _legend(figure, table: Table, entries: list[Filled]) -> None:
  from matplotlib.lines import Line2D

  def mark(label, colour, marker, *, line, filled):
    return Line2D(
      [],
      [],
      color=colour,
      marker=marker,
      linewidth=1.1 if line else 0,
      markersize=5,
      markerfacecolor=colour if filled else 'white',
      label=label,
    )

  handles = [
    mark(line, *style, line=True, filled=False)
    for line, style in _styles(entries).items()
    if line
  ]
  handles.append(mark(table.published, ALONE, 'o', line=False, filled=False))
  if any(entry.run for entry in entries):
    handles.append(mark(table.ours, ALONE, 'o', line=False, filled=True))
  figure.legend(
    handles=handles,
    title=table.legend or None,
    loc='outside right upper',
    fontsize=8,
    title_fontsize=8,
    frameon=False,
  )


def shares(name: str, title: str, parts: list[tuple[str, int, int]]):
  """A Figure of bars: (line, parameters, multiply-adds) of a network, top to bottom."""
  figure = canvas.new_figure(10, 1.4 + 0.24 * len(parts))
  figure.suptitle(f'{name}: {title}', x=0.01, ha='left', fontsize=11)
  panels = figure.subplots(1, 2, sharey=True)
  places = range(len(parts))
  for column, (panel, heading) in enumerate(zip(panels, AXES.values(), strict=True), 1):
    # Parameters first, as in the table.
    which = {'parameters (M)': 1, 'multiply-adds (M)': 2}[heading]
    values = [part[which] / 1e6 for part in parts]
    bars = panel.barh(places, values, color=COLOURS[column - 1], height=0.7)
    total = sum(values)
    panel.bar_label(bars, [f'{value / total:.1%}' for value in values], fontsize=7)
    panel.set_xlabel(heading, fontsize=9)
    panel.set_xlim(right=1.12 * max(values))
    panel.spines[['top', 'right']].set_visible(False)
    panel.tick_params(labelsize=8)
  panels[0].set_yticks(places, [part[0] for part in parts], fontsize=7.5)
  panels[0].invert_yaxis()
  return figure

"""The figure of a sweep: accuracy over what was swept."""

import statistics
from collections.abc import Sequence

from mobilenet.reports import canvas
from mobilenet.sweeps import scores
from mobilenet.sweeps.items import REPEATS

_COLOURS = ('#1b6e53', '#c1611f', '#3b6ea5', '#8a4f9e', '#a08a1d', '#b2405a', '#5b6470')
_SCORE = 'score'  # of a point: its number of the metric
_MOST_FIELDS = 2  # of more, the values would take more room than the figure
_LONGEST = 60  # letters of a name; more would leave no room for the dots
_LONGEST_OF_LINE = 40  # letters in a legend, which stands beside the lines
_MOST_LINES = 24  # in a legend; more would be taller than the figure
_MOST_LABELS = 24  # numbers next to points; more would overlap
_MARKERS = 'osD^vPX'
_NAMES = {
  'model.width': 'width multiplier',
  'model.name': 'network',
  'model.table': 'network',
  'resolution': 'resolution (px)',
  'schedule.learning_rate': 'learning rate',
}


def draw(rows: Sequence[dict], fields: Sequence[str], *, title: str = ''):
  """A Figure of the metric over the swept fields; None if no item is done.

  Runs that differ by REPEATS alone are one point, their mean, with a bar of one
  standard deviation. With two or more fields the horizontal axis is multiply-adds if
  these differ, else the last numeric field, with a line for each setting of the others.
  With one numeric field it is that field. Otherwise, and where the sweep sets more than
  two fields or a legend would leave no room, there is a dot per item.

  Args:
    rows: as `table.collect` returns them.
    fields: the swept fields.
    title: above the figure.
  """
  metric = scores.metric_of(rows)
  done = [
    row | {_SCORE: row[metric]}
    for row in rows
    if row['status'] == 'done' and row[metric] is not None
  ]
  if not done:
    return None
  others = [field for field in fields if field not in REPEATS]
  points = _points(done, others)
  numeric = [f for f in others if all(_is_number(row[f]) for row in done)]
  adds = {point['multiply_adds'] for point in points}
  if len(others) > _MOST_FIELDS or not _has_room(points, others, numeric[-1:]):
    figure = _dots(done, points, others)
  elif len(others) >= 2 and numeric and None not in adds and len(adds) > 1:
    figure = _over_multiply_adds(points, others, numeric[-1])
  elif numeric:
    figure = _over_field(points, others, numeric[-1])
  else:
    figure = _dots(done, points, others)
  missing = len(rows) - len(done)
  note = f'{len(done)} of {len(rows)} runs done' if missing else ''
  figure.axes[0].set_title(note, loc='right', fontsize=8, color='#8a3b12')
  if title:
    figure.suptitle(title, x=0.01, ha='left', fontsize=11, parse_math=False)
  return figure


def _points(done: Sequence[dict], others: Sequence[str]) -> list[dict]:
  """Runs that differ by REPEATS alone as one point: _SCORE (mean), 'std' and 'n'."""
  groups: dict[tuple, list[dict]] = {}
  for row in done:
    groups.setdefault(tuple(row[field] for field in others), []).append(row)
  points = []
  for group in groups.values():
    values = [row[_SCORE] for row in group]
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    points.append(
      dict(group[0]) | {_SCORE: statistics.fmean(values), 'std': std, 'n': len(values)}
    )
  return points


def _has_room(points, others, last) -> bool:
  """Whether a legend of all fields but the last one can stand beside the lines."""
  groups = _lines(points, [field for field in others if field not in last])
  longest = max(len(_line_name(key)) for key in groups)
  return not last or (len(groups) <= _MOST_LINES and longest <= _LONGEST_OF_LINE)


def _over_multiply_adds(points, others, last):
  """Solid lines over the last field's values, thin ones across them."""
  figure = canvas.new_figure(7.2, 4.6)
  axes = figure.subplots()
  line_fields = [field for field in others if field != last]
  if len(line_fields) == 1 and _is_number(points[0][line_fields[0]]):
    for group in _lines(points, [last]).values():
      _plot(axes, group, 'multiply_adds', color='#c3c7cd', linewidth=0.8, zorder=1)
  _draw_lines(axes, points, line_fields, 'multiply_adds')
  few = len(points) <= _MOST_LABELS
  for point in points if few else ():
    axes.annotate(
      f'{point[last]:g}',
      (point['multiply_adds'], point[_SCORE]),
      (5, -8),
      textcoords='offset points',
      fontsize=6.5,
      color='#5b6470',
    )
  _log_axis(axes, [point['multiply_adds'] for point in points], _millions)
  note = f'; beside the points: {_name(last)}' if few else ''
  axes.set_xlabel(f'multiply-adds (M){note}', fontsize=9)
  return _style(figure, axes, points)


def _over_field(points, others, last):
  figure = canvas.new_figure(7.2, 4.2)
  axes = figure.subplots()
  _draw_lines(axes, points, [field for field in others if field != last], last)
  values = sorted({point[last] for point in points})
  if values[0] > 0 and ('rate' in last or values[-1] > 20 * values[0]):
    _log_axis(axes, values)
  elif len(values) <= 8:
    axes.set_xticks(values, [f'{value:g}' for value in values])
  axes.set_xlabel(_name(last), fontsize=9)
  return _style(figure, axes, points)


def _dots(done, points, others):
  """A dot per run; runs that differ by REPEATS share a row, with their mean."""
  figure = canvas.new_figure(7.2, 1.6 + 0.3 * max(len(points), 2))
  axes = figure.subplots()
  names = [', '.join(str(point[f]) for f in others) or 'all runs' for point in points]
  if len(others) > _MOST_FIELDS or max(map(len, names)) > _LONGEST:
    names = [_cut(point['item']) for point in points]
  for height, point in enumerate(points):
    same = [row for row in done if all(row[f] == point[f] for f in others)]
    x = [row[_SCORE] for row in same]
    colour = _COLOURS[0]
    axes.plot(x, [height] * len(x), 'o', color=colour, markersize=5, alpha=0.6)
    label = f'{point[_SCORE]:.2f} %'
    if point['n'] > 1:
      axes.errorbar(
        point[_SCORE], height, xerr=point['std'], fmt='|', color='#222222', capsize=4
      )
      label += f' ± {point["std"]:.2f} (n = {point["n"]})'
    axes.annotate(
      label,
      (point[_SCORE], height),
      (0, 9),
      textcoords='offset points',
      fontsize=8,
      ha='center',
    )
  axes.set_yticks(range(len(points)), names, parse_math=False)
  axes.set_ylim(len(points) - 0.4, -0.8)
  axes.margins(x=0.12)
  axes.set_xlabel(_label(points), fontsize=9)
  axes.grid(axis='x', linewidth=0.4, color='#d8dade')
  _plain(axes)
  return figure


def _cut(name: str) -> str:
  return name if len(name) <= _LONGEST else f'{name[: _LONGEST - 1]}…'


def _draw_lines(axes, points, line_fields, x) -> None:
  groups = _lines(points, line_fields)
  for n, (key, group) in enumerate(groups.items()):
    _plot(
      axes,
      group,
      x,
      color=_COLOURS[n % len(_COLOURS)],
      marker=_MARKERS[n // len(_COLOURS) % len(_MARKERS)],
      linestyle='-' if n < len(_COLOURS) else '--',
      markersize=4.5,
      linewidth=1.6,
      capsize=3,
      label=_line_name(key),
    )
  if line_fields:
    legend = axes.legend(
      title=', '.join(_name(field) for field in line_fields),
      fontsize=8,
      title_fontsize=8,
      frameon=False,
      loc='upper left',
      bbox_to_anchor=(1.0, 1.0),
    )
    for text in legend.get_texts():
      text.set_parse_math(False)


def _line_name(key) -> str:
  return ', '.join(f'{v:g}' if _is_number(v) else str(v) for v in key)


def _lines(points, line_fields) -> dict[tuple, list[dict]]:
  groups: dict[tuple, list[dict]] = {}
  for point in points:
    groups.setdefault(tuple(point[f] for f in line_fields), []).append(point)
  return groups


def _plot(axes, group, x, **style) -> None:
  group = sorted(group, key=lambda point: point[x])
  xs, ys = [point[x] for point in group], [point[_SCORE] for point in group]
  if 'label' in style and any(point['n'] > 1 for point in group):
    axes.errorbar(xs, ys, yerr=[point['std'] for point in group], **style)
  else:
    style.pop('capsize', None)
    axes.plot(xs, ys, **style)


def _log_axis(axes, values, show='{:g}'.format) -> None:
  from matplotlib import ticker

  axes.set_xscale('log')
  few = sorted(set(values))
  if len(few) <= 7 and show is not _millions:
    axes.set_xticks(few, [show(value) for value in few])
  else:
    subs = (1, 2, 5) if few[-1] > 4 * few[0] else (1, 1.5, 2, 3, 4, 5, 6, 7, 8)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(lambda value, position: show(value))
  axes.xaxis.set_minor_locator(ticker.NullLocator())


def _millions(value: float) -> str:
  return f'{value / 1e6:g}'


def _style(figure, axes, points):
  several = any(point['n'] > 1 for point in points)
  spread = ', mean ± standard deviation over runs' if several else ''
  axes.set_ylabel(_label(points) + spread, fontsize=9)
  axes.grid(linewidth=0.4, color='#d8dade')
  axes.margins(x=0.06, y=0.08)
  _plain(axes)
  return figure


def _plain(axes) -> None:
  axes.spines[['top', 'right']].set_visible(False)
  axes.tick_params(labelsize=8)
  axes.set_axisbelow(True)


def _label(points) -> str:
  return f'{scores.in_words(scores.metric_of(points))} (%)'


def _name(field: str) -> str:
  return _NAMES.get(field, field)


def _is_number(value) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)

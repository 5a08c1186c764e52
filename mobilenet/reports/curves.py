"""The curves of a run: loss, the task's metric and learning rate over epochs."""

import functools
import itertools
import os
import pathlib

import numpy as np

from mobilenet.reports import canvas
from mobilenet.training import logs
from mobilenet.training.errors import TrainingError

REPORT_FOLDER = 'report'

# The curves of a figure: kind, name, label, colour. Evaluation is drawn over training,
# and the averaged weights over both.
_COLUMNS = (
  ('train', '{}', 'train', '#6f93b8'),
  ('eval', '{}', 'eval', '#c1611f'),
  ('eval', 'ema_{}', 'eval, EMA', '#1b6e53'),
)
_RATES = ('learning_rate', 'lr')


def write_curves(
  workdir: str | os.PathLike, metric, *, title: str = ''
) -> pathlib.Path:
  """Draws `metrics.jsonl` of a workdir as `report/curves.png`.

  Raises:
    TrainingError: there are no metrics, or the picture cannot be written.
  """
  records = logs.read_metrics(workdir)
  if not records:
    raise TrainingError(
      f'no curves: {pathlib.Path(workdir) / logs.METRICS_FILE} holds no metrics yet'
    )
  path = pathlib.Path(workdir) / REPORT_FOLDER / 'curves.png'
  return canvas.save_png(draw_curves(records, metric, title=title), path)


def draw_curves(records: list[dict], metric, *, title: str = ''):
  """A Figure of loss, metric and learning rate over epochs (steps if none are known).

  Args:
    records: lines of metrics: 'step', 'kind', 'epoch', and of kind 'train' 'loss', the
      metric and 'lr' or 'learning_rate', of kind 'eval' 'loss', the metric and for the
      averaged weights both with 'ema_'. What is missing is not drawn.
    metric: the task's (`tasks.Metric`).
    title: above the panels, for example the config's name.
  """
  figure = canvas.new_figure(11, 3.7)
  loss, score, rate = figure.subplots(1, 3, width_ratios=(4, 4, 2.4))
  if title:
    figure.suptitle(title, x=0.01, ha='left', fontsize=11, parse_math=False)
  _draw_loss(loss, records)
  _draw_score(score, records, metric)
  _draw_rate(rate, records)
  return figure


def draw_panels(records: list[dict], metric) -> list:
  """Figures of the loss and of the metric, one each: for a page of any width.

  Args:
    records, metric: as in `draw_curves`.
  """
  figures = []
  for draw in (_draw_loss, functools.partial(_draw_score, metric=metric)):
    figures.append(canvas.new_figure(4.6, 3.2))
    draw(figures[-1].subplots(), records)
  return figures


def _draw_loss(axes, records) -> None:
  drawn = _lines(axes, records, _columns('loss'))
  values = np.concatenate([y for *_, y in drawn]) if drawn else np.zeros(0)
  values = values[values > 0]
  if values.size and values.max() > 20 * values.min():
    _log_axis(axes)
  _name_ends(axes, drawn, '{:.3g}')
  _style(axes, 'Loss', _unit(records))


def _draw_score(axes, records, metric) -> None:
  percent = metric.unit == '%'
  drawn = _lines(axes, records, _columns(metric.name))
  _name_ends(axes, drawn, '{:.1f} %' if percent else '{:.3g}')
  _style(axes, f'{metric.title} (%)' if percent else metric.title, _unit(records))


def _draw_rate(axes, records) -> None:
  name = next((n for n in _RATES if any(n in r for r in records)), _RATES[0])
  _lines(axes, records, (('train', name, '', '#737982'),))
  axes.set_ylim(bottom=0)
  axes.yaxis.set_major_formatter('{x:g}')
  _style(axes, 'Learning rate', _unit(records))


def _unit(records) -> str:
  return 'epoch' if all('epoch' in record for record in records) else 'step'


def _columns(name: str):
  return [(kind, form.format(name), *rest) for kind, form, *rest in _COLUMNS]


def _lines(axes, records, columns):
  """Draws the columns that exist; returns [(label, colour, x, y)]."""
  drawn, unit = [], _unit(records)
  for kind, name, label, colour in columns:
    points = [r for r in records if r['kind'] == kind and r.get(name) is not None]
    if not points:
      continue
    x = np.array([point[unit] for point in points], float)
    y = np.array([point[name] for point in points], float)
    y[~np.isfinite(y)] = np.nan
    if np.isnan(y).all():
      continue
    dense = kind == 'train' and label and len(points) > 60
    if dense:
      axes.plot(x, y, color=colour, linewidth=0.6, alpha=0.45)
      y = _smooth(y, len(y) // 40)
    marker = 'o' if len(points) == 1 or (len(points) <= 12 and label) else None
    axes.plot(x, y, color=colour, linewidth=1.6, marker=marker, markersize=3.2)
    drawn.append((label, colour, x, y))
  return drawn


def _smooth(y: np.ndarray, half: int) -> np.ndarray:
  """Mean over the finite values among `half` neighbours on each side."""
  window = np.ones(2 * half + 1)
  finite = np.isfinite(y).astype(float)
  total = np.convolve(np.nan_to_num(y), window)[half : half + len(y)]
  count = np.convolve(finite, window)[half : half + len(y)]
  return np.where(finite > 0, total / np.maximum(count, 1), np.nan)


def _log_axis(axes) -> None:
  from matplotlib import ticker

  axes.set_yscale('log')
  axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axes.yaxis.set_major_formatter('{x:g}')
  axes.yaxis.set_minor_locator(ticker.NullLocator())


def _name_ends(axes, drawn, number: str) -> None:
  """Names each line at its right end with its last value, labels kept apart."""
  drawn = [(*line[:2], line[3][np.isfinite(line[3])][-1]) for line in drawn]
  # Drawn limits must not move once label heights are computed from them.
  axes.set_ylim(axes.get_ylim())
  to_height = axes.transScale + axes.transLimits
  ends = sorted(
    [float(to_height.transform((0, y))[1]), label, colour, y]
    for label, colour, y in drawn
  )
  gap = 0.115
  for below, above in itertools.pairwise(ends):
    above[0] = max(above[0], below[0] + gap)
  if ends and ends[-1][0] > 1:
    ends[-1][0] = 1
    for below, above in zip(ends[-2::-1], ends[:0:-1], strict=True):
      below[0] = min(below[0], above[0] - gap)
  for height, label, colour, y in ends:
    axes.text(
      1.02,
      height,
      f'{label}\n{number.format(y)}',
      transform=axes.transAxes,
      color=colour,
      fontsize=8,
      va='center',
      linespacing=1.05,
    )


def _style(axes, title: str, unit: str) -> None:
  axes.set_title(title, loc='left', fontsize=9.5)
  axes.set_xlabel(unit, fontsize=9)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(axis='y', linewidth=0.4, color='#d8dade')
  axes.tick_params(labelsize=8)
  axes.set_axisbelow(True)
  axes.margins(x=0.02)
  axes.xaxis.get_major_locator().set_params(integer=True, nbins=8)

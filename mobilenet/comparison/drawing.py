"""The figure: accuracy with its interval, over what a network costs."""

from collections.abc import Sequence

from mobilenet.comparison.rows import SCRATCH, Row
from mobilenet.reports import canvas
from mobilenet.tables import labels

_GIVEN, _SCRATCH = '#1b6e53', '#3b6ea5'
_COSTS = (
  ('multiply_adds', 'multiply-adds (M)', 1e6),
  ('latency_ms', 'one image (ms)', 1.0),
)


def draw(rows: Sequence[Row]):
  """A Figure with a panel for the multiply-adds and, where measured, for the latency.

  Hollow marks are networks that are worse than the best by more than chance.
  """
  costs = [c for c in _COSTS if all(getattr(row, c[0]) is not None for row in rows)]
  figure = canvas.new_figure(7.6, 0.4 + 4.2 * len(costs))
  panels = figure.subplots(len(costs), 1, squeeze=False)[:, 0]
  for panel, (field, title, unit) in zip(panels, costs, strict=True):
    _panel(panel, rows, [getattr(row, field) / unit for row in rows])
    panel.set_xlabel(title, fontsize=9)
    panel.set_ylabel('accuracy (%), 95 % interval', fontsize=9)
  figure.legend(
    handles=_legend(), loc='outside lower center', ncols=3, fontsize=8, frameon=False
  )
  return figure


def _panel(panel, rows, costs) -> None:
  from matplotlib import ticker

  words, bars = [], []
  for row, cost in zip(rows, costs, strict=True):
    colour = _SCRATCH if row.start == SCRATCH else _GIVEN
    percent, low, high = (
      100 * share for share in (row.accuracy, row.accuracy_low, row.accuracy_high)
    )
    panel.errorbar(
      cost,
      percent,
      yerr=[[percent - low], [high - percent]],
      fmt='o',
      color=colour,
      markersize=5.5,
      markerfacecolor='white' if row.differs() else colour,
      elinewidth=1.0,
      capsize=3,
    )
    words.append((cost, percent, row.run, colour))
    bars.append((cost, low, high))
  panel.set_xscale('log')
  panel.set_xlim(min(costs) / 2, max(costs) * 3)  # room for names
  panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  panel.xaxis.set_major_formatter('{x:g}')
  panel.xaxis.set_minor_locator(ticker.NullLocator())
  panel.margins(y=0.1)
  labels.place(panel, words, bars)
  panel.grid(linewidth=0.4, color='#d8dade')
  panel.set_axisbelow(True)
  panel.spines[['top', 'right']].set_visible(False)
  panel.tick_params(labelsize=8)


def _legend():
  from matplotlib.lines import Line2D

  def mark(label, colour, *, filled=True):
    face = colour if filled else 'white'
    return Line2D(
      [], [], color=colour, marker='o', linewidth=0, markerfacecolor=face, label=label
    )

  return [
    mark('from given weights', _GIVEN),
    mark('from scratch', _SCRATCH),
    mark('hollow: worse than the best by more than chance', '#737982', filled=False),
  ]

"""The figure of a NetAdapt search: cost against the metric, and the channels kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet.reports import canvas
from mobilenet.search import wiring
from mobilenet.search.strategies.gauge import Gauge
from mobilenet.search.strategies.netadapt_runs import START, TUNED, UNIFORM
from mobilenet.tasks import Metric

_COLOURS = {START: '#3a3f47', TUNED: '#1b6e53', UNIFORM: '#c1611f'}
# Networks of one cost stand side by side: their intervals would be one line.
_ALIKE, _APART = 0.01, 0.008  # of the start's cost
_OTHER, _LINE, _BEFORE = '#3b6ea5', '#6f93b8', '#d8dade'


def draw(
  rows: Sequence, accepted: Sequence[Mapping[str, Any]], gauge: Gauge, metric: Metric
):
  """A Figure of two panels.

  Args:
    rows: of the final table, the start first (`netadapt_report.Row`).
    accepted: the archive's lines of the networks that were accepted.
    gauge: of the search.
    metric: of the task.
  """
  figure = canvas.new_figure(11, 5.2)
  scores, bars = figure.subplots(1, 2, width_ratios=(5, 4))
  _scores(scores, rows, accepted, gauge, metric)
  _channels(bars, rows)
  for panel in (scores, bars):
    panel.spines[['top', 'right']].set_visible(False)
    panel.tick_params(labelsize=8)
  return figure


def _scores(panel, rows, accepted, gauge, metric) -> None:
  measured, predicted = gauge.field('measured'), gauge.field('predicted')
  if all(metric.name in line for line in accepted):
    panel.plot(
      [line.get(measured, line[predicted]) / gauge.start_cost for line in accepted],
      [line[metric.name] for line in accepted],
      marker='.',
      color=_LINE,
      linewidth=1.0,
      label='iterations, each after its short fine-tune, on held-out\n'
      'photos; the start was not scored on these',
    )
  shares = [row.cost / rows[0].cost for row in rows]
  for n, row in enumerate(rows):
    known = row.low == row.low  # not NaN
    beside = sum(abs(shares[n] - share) < _ALIKE for share in shares[:n])
    panel.errorbar(
      shares[n] + _APART * beside,
      row.metric,
      yerr=[[row.metric - row.low], [row.high - row.metric]] if known else None,
      fmt='o',
      color=_COLOURS.get(row.name, _OTHER),
      markersize=6,
      elinewidth=1.0,
      capsize=3,
      label=f'{row.name}, on the evaluation split',
    )
  panel.set_xlabel(f'cost, share of the start ({gauge.said(rows[0].cost)})', fontsize=9)
  panel.set_ylabel(f'{metric.title}{metric.unit and f" ({metric.unit})"}', fontsize=9)
  panel.grid(linewidth=0.4, color=_BEFORE)
  panel.set_axisbelow(True)
  panel.legend(fontsize=8, frameon=False)


def _channels(panel, rows) -> None:
  by_name = {row.name: wiring.of(row.network).sizes for row in rows}
  before, after = by_name[START], by_name[TUNED]
  groups = [g for g in before if not g.endswith(f'/{wiring.SQUEEZE}')]
  places = range(len(groups))
  kept = [100 * after[group] / before[group] for group in groups]
  panel.barh(places, [100] * len(groups), color=_BEFORE, height=0.8)
  panel.barh(places, kept, color=_COLOURS[TUNED], height=0.8)
  for place, group in zip(places, groups, strict=True):
    panel.text(
      101, place, f'{after[group]} of {before[group]}', va='center', fontsize=6
    )
  panel.set_yticks(places, groups, fontsize=6)
  panel.invert_yaxis()
  panel.set_xlabel('channels kept (%)', fontsize=9)

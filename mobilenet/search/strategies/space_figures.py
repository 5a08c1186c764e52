"""The figures of a search in a space: cost against metric, shared against alone."""

from collections.abc import Sequence

from mobilenet.reports import canvas
from mobilenet.search import ranks
from mobilenet.search.costs import budget
from mobilenet.search.strategies.finalists import FAMILY, FOUND, RANDOM

_LOOKS = {  # group -> colour, mark, legend
  FAMILY: ('#3b6ea5', 's', 'the base network at its widths'),
  FOUND: ('#1b6e53', 'o', 'found'),
  RANDOM: ('#9aa1ab', 'o', 'random'),
}
_GRID = '#d8dade'


def pareto(reached: Sequence, metric: str, unit: str):
  """A Figure of what networks reach alone over what they cost, measured whole.

  Args:
    reached: of `space_verdict.Reached`; those without a run are left out.
    metric: name of the metric, in percent.
    unit: of the cost.
  """
  from mobilenet.sweeps import scores

  shown, factor = budget.written(unit)
  figure = canvas.new_figure(7.2, 4.6)
  panel = figure.subplots()
  for group, (colour, mark, label) in _LOOKS.items():
    own = [e for e in reached if e.network.group == group and e.metrics]
    own.sort(key=lambda each: each.network.measured)
    if not own:
      continue
    panel.errorbar(
      [each.network.measured / factor for each in own],
      [each.metric for each in own],
      yerr=[each.deviation or 0 for each in own],
      fmt=mark,
      linestyle='-' if group == FAMILY else 'none',
      color=colour,
      markersize=5,
      elinewidth=1.0,
      capsize=3,
      label=label,
      zorder=1 if group == RANDOM else 2,
    )
  several = any(each.deviation is not None for each in reached)
  spread = ', mean ± standard deviation over seeds' if several else ''
  panel.set_xlabel(f'cost ({shown})', fontsize=9)
  panel.set_ylabel(f'{scores.in_words(metric)} (%){spread}', fontsize=9)
  if any(each.metrics for each in reached):
    panel.legend(fontsize=8, frameon=False, loc='lower right')
  _plain(panel)
  return figure


def rank(reached: Sequence):
  """A Figure: loss alone over the loss with shared weights, and over the size.

  Args:
    reached: networks of the space, trained from all seeds; `ranks.FEWEST` at least.
  """
  figure = canvas.new_figure(9.6, 4.2)
  alone = [sum(each.losses) / len(each.losses) for each in reached]
  measures = (
    ('loss with shared weights', [e.network.shared['loss'] for e in reached], 1),
    ('M multiply-adds', [e.network.multiply_adds / 1e6 for e in reached], -1),
  )
  panels = figure.subplots(1, 2, sharey=True)
  for panel, (title, values, sign) in zip(panels, measures, strict=True):
    for group in (RANDOM, FOUND):
      colour, mark, label = _LOOKS[group]
      own = [n for n, each in enumerate(reached) if each.network.group == group]
      panel.errorbar(
        [values[n] for n in own],
        [alone[n] for n in own],
        yerr=[
          [alone[n] - min(reached[n].losses) for n in own],
          [max(reached[n].losses) - alone[n] for n in own],
        ],
        fmt=mark,
        color=colour,
        markersize=5,
        elinewidth=1.0,
        label=label,
      )
    found = ranks.kendall([sign * value for value in values], alone)
    panel.set_title(f'Kendall tau {found}', fontsize=8, loc='left')
    panel.set_xlabel(title, fontsize=9)
    _plain(panel)
  panels[0].set_ylabel('loss alone, mean and range over seeds', fontsize=9)
  panels[0].legend(fontsize=8, frameon=False)
  return figure


def _plain(panel) -> None:
  panel.grid(linewidth=0.4, color=_GRID)
  panel.set_axisbelow(True)
  panel.spines[['top', 'right']].set_visible(False)
  panel.tick_params(labelsize=8)

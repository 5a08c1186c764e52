"""The figure of a check of data."""

from collections.abc import Mapping, Sequence

from mobilenet.reports import canvas, terminal

MOST = 40  # classes with a bar each
_COLOURS = ('#0b5cad', '#e08a2c', '#6b7f93')


def class_sizes(counts: Mapping[str, Mapping[str, int]], parts: Sequence[str]):
  """A Figure: a bar per class, the largest first; of many the largest and smallest.

  Args:
    counts: class -> part -> photos.
    parts: one to three, stacked in their order.
  """
  order = sorted(counts, key=lambda name: (-sum(counts[name].values()), name))
  left_out = max(0, len(order) - MOST)
  if left_out:
    order = [*order[: MOST // 2], *order[-MOST // 2 :]]
  figure = canvas.new_figure(7, 0.9 + 0.24 * len(order))
  axes = figure.subplots()
  begin = [0] * len(order)
  for part, colour in zip(parts, _COLOURS, strict=False):
    widths = [counts[name][part] for name in order]
    axes.barh(range(len(order)), widths, left=begin, color=colour, label=part)
    begin = [b + w for b, w in zip(begin, widths, strict=True)]
  names = [terminal.shorten(name, 24) for name in canvas.drawable(order)]
  axes.set_yticks(range(len(order)), names, fontsize=8, parse_math=False)
  axes.invert_yaxis()
  axes.set_xlabel('Photos', fontsize=9)
  axes.tick_params(labelsize=8, length=2)
  for side in ('top', 'right'):
    axes.spines[side].set_visible(False)
  if left_out:
    axes.set_title(
      f'the {MOST // 2} largest and the {MOST // 2} smallest classes',
      loc='left',
      fontsize=9,
    )
  if len(parts) > 1:
    axes.legend(frameon=False, fontsize=8)
  return figure

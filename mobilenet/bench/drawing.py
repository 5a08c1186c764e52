"""Figures of a benchmark: contenders side by side, and how a step's time grows."""

from collections.abc import Sequence

from mobilenet.bench import page
from mobilenet.bench.comparison import Line, Spread
from mobilenet.bench.contenders import CONTENDERS
from mobilenet.reports import canvas

COLOURS = {
  'ours': '#c1611f',
  'plain': '#d98f5f',
  'stock': '#e9cdb5',
  'timm': '#1f5f99',
  'timm_compile': '#8fb4d6',
  'torchvision': '#1a7f8e',
  'torchvision_compile': '#8cc3cb',
  'keras_tensorflow': '#1b6e53',
  'keras_jax': '#8dbfa9',
  'keras_tflite': '#4b8f3a',
  'keras_tflite_int8': '#a9cf9c',
  'tflite': '#8a3d80',
  'tflite_int8': '#c9a0c3',
  'onnxruntime': '#59448f',
  'onnxruntime_int8': '#aca1cd',
  'openvino': '#a3273f',
}
_LINE, _REFERENCE = '#1f5f99', '#9aa1ab'


def contenders(lines: Sequence[Line], caption: str):
  """A Figure: a panel per section of the page, a bar per contender.

  A bar is the median, with quartiles.

  The axes are logarithmic: a factor is the same length everywhere.
  """
  sections = page.by_section([line for line in lines if line.spread is not None])
  most = max((len(rows) for rows in sections.values()), default=1)
  panels_wide = max(len(sections), 1)
  figure = canvas.new_figure(1.2 + 5.2 * panels_wide, 1.6 + 0.27 * most)
  figure.suptitle(caption, x=0.01, ha='left', fontsize=8)
  panels = figure.subplots(1, panels_wide, squeeze=False)[0]
  for panel, (title, rows) in zip(panels, sections.items(), strict=False):
    _bars(panel, rows)
    unit = rows[0].measurement.unit
    panel.set_title(title, fontsize=10, loc='left')
    panel.set_xlabel(f'{unit}, median and quartiles (less is better)', fontsize=8)
  return figure


def _bars(panel, rows: Sequence[Line]) -> None:
  places, labels, place, model = [], [], 0.0, None
  for line in rows:
    m, spread = line.measurement, line.spread
    place += 1.0 if model in (None, m.model) else 1.7  # a gap between models
    title = CONTENDERS[m.contender].title
    labels.append(title if model == m.model else f'{m.model}   {title}')
    model = m.model
    places.append(place)
    panel.barh(place, spread.median, 0.8, color=COLOURS[m.contender])
    panel.plot([spread.low, spread.high], [place, place], color='black', lw=1.2)
    panel.annotate(
      page.number(spread.median),
      (spread.high, place),
      xytext=(4, 0),
      textcoords='offset points',
      va='center',
      fontsize=7,
    )
  medians = [line.spread.median for line in rows]
  panel.set_xscale('log')
  panel.set_xlim(min(medians) / 3, max(line.spread.high for line in rows) * 1.8)
  panel.set_yticks(places, labels, fontsize=7)
  # Few and plain: the bars carry the numbers.
  panel.xaxis.set_major_formatter('{x:g}')
  panel.xaxis.set_minor_formatter('')
  panel.tick_params(axis='x', labelsize=7)
  panel.invert_yaxis()
  panel.spines[['top', 'right']].set_visible(False)


def grown(
  axes: dict[str, list[tuple[float, int, Spread]]],
  reference: dict[str, float],
  caption: str,
):
  """A Figure of a step's time over each axis, and the line of its multiply-adds.

  Args:
    axes: name -> points (value, multiply-adds of a batch, spread of ms).
    reference: name -> value at which the line of multiply-adds meets the time.
    caption: above it.
  """
  figure = canvas.new_figure(1.0 + 4.0 * len(axes), 3.9)
  figure.suptitle(caption, x=0.01, ha='left', fontsize=9)
  panels = figure.subplots(1, len(axes), squeeze=False)[0]
  for panel, (axis, points) in zip(panels, axes.items(), strict=True):
    values = [value for value, _, _ in points]
    medians = [spread.median for _, _, spread in points]
    panel.fill_between(
      values,
      [spread.low for _, _, spread in points],
      [spread.high for _, _, spread in points],
      color=_LINE,
      alpha=0.2,
      lw=0,
    )
    panel.plot(values, medians, 'o-', color=_LINE, ms=4, label='measured')
    near = min(range(len(values)), key=lambda n: abs(values[n] - reference[axis]))
    per_ms = points[near][1] / medians[near]
    panel.plot(
      values,
      [multiply_adds / per_ms for _, multiply_adds, _ in points],
      '--',
      color=_REFERENCE,
      label='as its multiply-adds',
    )
    panel.set(xscale='log', yscale='log')
    panel.set_xticks(values, [f'{value:g}' for value in values], fontsize=8)
    panel.minorticks_off()
    panel.set_xlabel(axis, fontsize=9)
    panel.grid(alpha=0.25)
  panels[0].set_ylabel('ms a training step', fontsize=9)
  panels[0].legend(fontsize=8, frameon=False)
  return figure

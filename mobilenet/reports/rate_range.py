"""What a learning-rate range test leaves: a table, a figure and a CSV of its steps."""

import os
import pathlib

import numpy as np

from mobilenet.reports import canvas, csv_file, terminal
from mobilenet.training.rate_range import Measured, Suggestion

_ROWS = 12  # of the table in the terminal
_HIGHEST = 1.6  # of the figure, as a multiple of the first smoothed loss
_LINE, _POINTS, _SUGGESTED = '#1b6e53', '#6f93b8', '#c1611f'


def show(measured: Measured) -> None:
  """Prints some rates and their losses."""
  table = terminal.make_table(
    'Learning-rate range test', [('learning rate', 'right'), ('smoothed loss', 'right')]
  )
  number = len(measured.rates)
  for place in np.unique(np.linspace(0, number - 1, min(_ROWS, number)).astype(int)):
    rate, loss = measured.rates[place], measured.smoothed[place]
    terminal.add_row(table, f'{rate:.2g}', f'{loss:.3f}')
  terminal.show(table)


def write_csv(path: str | os.PathLike, measured: Measured) -> pathlib.Path:
  """Writes a row for each update.

  Raises:
    TrainingError: the file cannot be written.
  """
  rows = zip(measured.rates, measured.losses, measured.smoothed, strict=True)
  return csv_file.write(
    path,
    ('learning_rate', 'loss', 'smoothed_loss'),
    ([float(f'{value:.7g}') for value in row] for row in rows),
  )


def draw(measured: Measured, suggestion: Suggestion | None, *, title: str = ''):
  """A Figure of the loss over the rate, with the rates that a suggestion names.

  Args:
    measured: what is drawn. Losses far above the first are cut off.
    suggestion: None draws the losses alone.
    title: above the figure.
  """
  figure = canvas.new_figure(7.2, 4.2)
  axes = figure.subplots()
  axes.plot(
    measured.rates, measured.losses, 'o', color=_POINTS, markersize=2.5, alpha=0.6
  )
  axes.plot(measured.rates, measured.smoothed, color=_LINE, linewidth=1.8)
  axes.set_xscale('log')
  low, first = measured.smoothed.min(), measured.smoothed[0]
  top = max(_HIGHEST * first, 2 * low)
  axes.set_ylim(max(low - 0.3 * (top - low), 0), top)  # names are below the line
  for rate, colour, style, name, height in _marks(suggestion):
    axes.axvline(rate, color=colour, linewidth=1.1, linestyle=style)
    axes.annotate(
      f'{name} {rate:.2g}',
      (rate, height),
      (4, 0),
      xycoords=('data', 'axes fraction'),
      textcoords='offset points',
      fontsize=8,
      color=colour,
    )
  axes.set_xlabel('learning rate', fontsize=9)
  axes.set_ylabel('training loss; line: smoothed', fontsize=9)
  axes.spines[['top', 'right']].set_visible(False)
  axes.grid(linewidth=0.4, color='#d8dade')
  axes.tick_params(labelsize=8)
  axes.set_axisbelow(True)
  if title:
    figure.suptitle(title, x=0.01, ha='left', fontsize=11, parse_math=False)
  return figure


def _marks(suggestion: Suggestion | None):
  """(rate, colour, line style, name, height of the name) of each vertical line."""
  if suggestion is None:
    return
  yield suggestion.rate, _SUGGESTED, '-', 'suggested:', 0.94
  if suggestion.least is not None:
    yield suggestion.least, '#5b6470', '--', 'least loss:', 0.06
  if suggestion.climb is not None:
    yield suggestion.climb, '#5b6470', ':', 'climb:', 0.01

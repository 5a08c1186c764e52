"""The figure of which class's pixels are taken for which."""

from collections.abc import Sequence

import numpy as np

from mobilenet.reports import canvas

_MOST_NAMED = 40
_MOST_WRITTEN = 12


def confusion(matrix: np.ndarray, names: Sequence[str]):
  """A Figure of a confusion matrix (K, K), each row in % of its class's pixels."""
  count = len(names)
  shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
  side = min(3.2 + 0.22 * count, 9)
  figure = canvas.new_figure(side, side)
  axes = figure.subplots()
  axes.imshow(shares, cmap='Greens', vmin=0, vmax=100)
  if count <= _MOST_NAMED:
    axes.set_xticks(range(count), names, rotation=90, fontsize=8)
    axes.set_yticks(range(count), names, fontsize=8)
  if count <= _MOST_WRITTEN:
    for row in range(count):
      for column in range(count):
        share = shares[row, column]
        colour = 'white' if share > 60 else 'black'
        axes.text(
          column,
          row,
          f'{share:.1f}',
          ha='center',
          va='center',
          fontsize=8,
          color=colour,
        )
  axes.set_xlabel('Predicted', fontsize=9.5)
  axes.set_ylabel('Class', fontsize=9.5)
  axes.spines[:].set_visible(False)
  return figure

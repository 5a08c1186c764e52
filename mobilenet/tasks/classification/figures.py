"""Pictures of a classification as PNG: the confusion matrix, the worst mistakes.

Each is drawn by a `draw_*`, which returns the matplotlib Figure, and written by the
function named after it.
"""

import os
import pathlib
import re

import numpy as np

from mobilenet.reports import canvas, terminal


def confusion(matrix, class_names, path: str | os.PathLike) -> pathlib.Path:
  """Writes the confusion matrix as PNG.

  Raises:
    TrainingError: the picture cannot be written.
  """
  return canvas.save_png(draw_confusion(matrix, class_names), path)


def draw_confusion(matrix, class_names, *, compact: bool = False):
  """A Figure of the confusion matrix, each row as shares of its true class.

  Up to 20 classes have their counts in the cells. With more, the most frequent
  confusions are listed next to the picture, and the axes show only some of many
  names. Classes without examples have grey rows.

  Args:
    matrix: counts (K, K), rows true, columns predicted.
    class_names: K names.
    compact: without that list and the bar of colours, small enough for a phone.
  """
  from matplotlib import colormaps, colors

  matrix = np.asarray(matrix, np.int64)
  count = len(class_names)
  shares = 100.0 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
  shares[matrix.sum(axis=1) == 0] = np.nan
  many = count > 20
  listed = many and not compact
  block = -(-count // 250)
  side = 6.6 if many else min(8.5, (2.2 if compact else 3.4) + 0.34 * count)
  figure = canvas.new_figure(side + (0.0 if compact else 3.9 if listed else 1.0), side)
  axes = figure.subplots()

  # Most confusions are a few per cent; a power scale makes them visible.
  norm = colors.PowerNorm(0.4 if many else 0.6, 0, 100)
  colours = colormaps['Blues'].with_extremes(bad='#e6e6e6')
  pooled = _largest_of_blocks(shares, block)
  extent = (-0.5, len(pooled) * block - 0.5, len(pooled) * block - 0.5, -0.5)
  image = axes.imshow(pooled, cmap=colours, norm=norm, extent=extent)
  if not compact:
    _colour_bar(
      figure, axes, image, [0, 1, 5, 20, 50, 100] if many else [0, 5, 20, 50, 100]
    )

  step = -(-count // 40)
  ticks = np.arange(0, count, step)
  names = [terminal.shorten(str(class_names[tick]), 18) for tick in ticks]
  size = 9 if count <= 12 else 8 if count <= 20 else 6.5
  angle = 90 if many else 45 if max(map(len, names)) > 3 else 0
  axes.set_xticks(ticks, names, rotation=angle, fontsize=size, parse_math=False)
  for text in axes.get_xticklabels():
    text.set_rotation_mode('anchor')
    text.set_horizontalalignment('right' if angle else 'center')
    text.set_verticalalignment('center' if angle == 90 else 'top')
  axes.set_yticks(ticks, names, fontsize=size, parse_math=False)
  axes.set_xlabel('Predicted class', fontsize=9.5)
  axes.set_ylabel('True class', fontsize=9.5)
  axes.tick_params(length=2)
  right, total = int(np.trace(matrix)), int(matrix.sum())
  title = f'{right:,} of {total:,} right ({100 * right / max(total, 1):.2f} %)'
  if step > 1:
    title += f'; one class in {step} is named'
  if block > 1:
    title += f'; a dot is the largest of {block} × {block}'
  axes.set_title(title, loc='left', fontsize=8 if many else 10)
  if listed:
    _list_confusions(figure, matrix, class_names)
  elif not many:
    _write_counts(axes, matrix, norm(np.nan_to_num(shares)))
  return figure


def _colour_bar(figure, axes, image, ticks) -> None:
  bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.02)
  bar.set_label('Share of the true class (%)', fontsize=9)
  bar.set_ticks(ticks)
  bar.ax.yaxis.set_major_formatter('{x:g}')
  bar.ax.minorticks_off()
  bar.ax.tick_params(labelsize=8)
  bar.outline.set_visible(False)


def _largest_of_blocks(shares: np.ndarray, block: int) -> np.ndarray:
  """Pools (K, K) to blocks, so that no share of a class gets lost between pixels."""
  if block == 1:
    return shares
  padding = -len(shares) % block
  # NaN (no examples) loses against any share, and fills what lies outside.
  padded = np.pad(shares, (0, padding), constant_values=np.nan)
  size = len(padded) // block
  return np.fmax.reduce(np.fmax.reduce(padded.reshape(size, block, size, block), 3), 1)


def _write_counts(axes, matrix: np.ndarray, darkness: np.ndarray) -> None:
  size = 10 if len(matrix) <= 10 else 7.5
  for (row, column), value in np.ndenumerate(matrix):
    dark = darkness[row, column] > 0.55
    axes.text(
      column,
      row,
      f'{value:,}',
      ha='center',
      va='center',
      fontsize=size if value < 1000 else size - 1.5,
      color='white' if dark else '#333333' if value else '#c0c4ca',
    )


def _list_confusions(figure, matrix: np.ndarray, class_names) -> None:
  """The most frequent mistakes, in words, on the right of the figure."""
  lines = []
  for row, column, count, share in confusions(matrix, 16):
    true = terminal.shorten(str(class_names[row]), 19)
    predicted = terminal.shorten(str(class_names[column]), 19)
    lines.append(
      f'{true} → {predicted}\n    {count:,} ({100 * share:.0f} % of the class)'
    )
  figure.get_layout_engine().set(rect=(0, 0, 0.71, 1))
  figure.text(0.725, 0.955, 'Most frequent confusions (true → predicted)', fontsize=8.5)
  figure.text(
    0.725,
    0.935,
    '\n'.join(lines) or 'none',
    fontsize=7.5,
    va='top',
    linespacing=1.3,
    parse_math=False,
  )


def confusions(matrix, most: int) -> list[tuple[int, int, int, float]]:
  """The most frequent ones: (true class, predicted, count, share of the true class)."""
  wrong = np.array(matrix)
  np.fill_diagonal(wrong, 0)
  order = np.argsort(-wrong, axis=None, kind='stable')[:most]
  pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
  return [
    (
      int(row),
      int(column),
      int(wrong[row, column]),
      wrong[row, column] / matrix[row].sum(),
    )
    for row, column in pairs
    if wrong[row, column]
  ]


def mistakes(images, titles, path: str | os.PathLike) -> pathlib.Path:
  """Writes a grid of pictures with titles as PNG.

  Raises:
    TrainingError: the picture cannot be written.
  """
  return canvas.save_png(draw_mistakes(images, titles), path)


def mistake_title(true: str, predicted: str, probability: float, example: str) -> str:
  """Four short lines for `mistakes`: the classes, the certainty, the example."""
  name = re.split(r'[/\\]', example)[-1]
  return (
    f'true: {terminal.shorten(str(true), 22)}\n'
    f'predicted: {terminal.shorten(str(predicted), 17)}\n'
    f'at {100 * probability:.1f} %\n'
    f'{terminal.shorten(name, 28)}'
  )


def draw_mistakes(images, titles):
  """A Figure with a grid of at most five pictures per row.

  Args:
    images: N pictures, uint8 (H, W, 3) each; 'No mistakes' if there are none.
    titles: N strings of up to four lines.
  """
  if len(images) != len(titles):
    raise ValueError(f'{len(images)} images but {len(titles)} titles')
  if not len(images):
    figure = canvas.new_figure(4, 1.2)
    figure.text(0.5, 0.5, 'No mistakes', ha='center', va='center', fontsize=11)
    return figure
  columns = min(5, len(images))
  rows = -(-len(images) // columns)
  figure = canvas.new_figure(2.1 * columns, 2.8 * rows)
  grid = figure.subplots(rows, columns, squeeze=False)
  for axes in grid.flat:
    axes.set_axis_off()
  for axes, image, title in zip(grid.flat, images, titles, strict=False):
    # Digits of 28 pixels are shown as pixels, photos as photos.
    smooth = 'nearest' if max(image.shape[:2]) <= 64 else 'auto'
    axes.imshow(image, interpolation=smooth)
    axes.set_title(title, fontsize=8, loc='left', parse_math=False, linespacing=1.2)
  return figure

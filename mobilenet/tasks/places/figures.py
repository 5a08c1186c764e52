"""Maps in degrees (equirectangular), with meridians and parallels and no coasts."""

from collections.abc import Sequence

import numpy as np

from input_pipeline import cells
from mobilenet.reports import canvas
from mobilenet.tasks.places.distances import EARTH_KM

MOST_LINES = 400
_COLUMNS, _ROWS = 240, 120  # of the picture of the cells
_TICKS = 5  # of the scale of photos
_LEAST_SIDE = 0.02  # degrees, of a map
# Of errors: up to so many km, colour.
_ERRORS = ((200, '#1b6e53'), (2500, '#d99a1c'), (np.inf, '#a8322d'))


def extent(*positions: np.ndarray) -> tuple[float, float, float, float]:
  """West, east, south, north of a map that shows all positions (N, 2), in degrees."""
  every = np.concatenate(positions)
  low, high = every.min(axis=0), every.max(axis=0)
  margin = np.maximum(0.06 * (high - low), _LEAST_SIDE)
  south, west = np.maximum(low - margin, (-90, -180))
  north, east = np.minimum(high + margin, (90, 180))
  return float(west), float(east), float(south), float(north)


def around(positions: np.ndarray, widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Corners (N, 2) in the south-west and north-east of squares, in degrees.

  Args:
    positions: (N, 2), their middles.
    widths: (N,), km.
  """
  half = np.degrees(widths / 2 / EARTH_KM)
  across = half / np.maximum(np.cos(np.radians(positions[:, 0])), 0.01)
  reach = np.stack([half, across], axis=1)
  return positions - reach, positions + reach


def draw_cells(names: Sequence[str], counts: np.ndarray, box):
  """A Figure of the cells, coloured by how many photos each has.

  Args:
    names: tokens, K.
    counts: (K,).
    box: see `extent`.
  """
  from matplotlib.colors import LogNorm

  west, east, south, north = box
  longitudes = west + (np.arange(_COLUMNS) + 0.5) * (east - west) / _COLUMNS
  latitudes = south + (np.arange(_ROWS) + 0.5) * (north - south) / _ROWS
  grid = np.stack(np.meshgrid(latitudes, longitudes, indexing='ij'), axis=-1)
  labels = cells.labels(grid.reshape(-1, 2), names).reshape(_ROWS, _COLUMNS)
  shown = np.maximum(np.asarray(counts, float), 1)
  norm = LogNorm(shown.min(), max(shown.max(), 1.01 * shown.min()))
  figure, axes = _map(box)
  image = axes.imshow(
    np.where(labels >= 0, shown[labels], np.nan),
    extent=box,
    origin='lower',
    aspect='auto',
    norm=norm,
    cmap='viridis',
    interpolation='nearest',
    alpha=0.75,
  )
  # Cells that are smaller than a pixel would not be seen.
  centres = cells.centres(names)
  axes.scatter(*centres.T[::-1], c=shown, norm=norm, s=9, lw=0.4, edgecolors='#1c2733')
  bar = figure.colorbar(image, ax=axes, label='photos of a cell', shrink=0.8)
  ticks = np.unique(np.geomspace(norm.vmin, norm.vmax, _TICKS).round())
  bar.set_ticks(ticks[(ticks >= norm.vmin) & (ticks <= norm.vmax)], minor=False)
  bar.minorticks_off()
  bar.ax.yaxis.set_major_formatter('{x:,.0f}')
  return figure


def draw_errors(truth: np.ndarray, answers: np.ndarray, distances: np.ndarray, box):
  """A Figure with a line from where each photo was taken to what was answered.

  Args:
    truth, answers: (N, 2), degrees. Of more than MOST_LINES photos every n-th is drawn.
    distances: (N,), km.
    box: see `extent`.
  """
  from matplotlib.collections import LineCollection

  step = drawn_every(len(truth))
  truth, answers, distances = truth[::step], answers[::step], distances[::step]
  figure, axes = _map(box)
  # The short way round: over the date line a line leaves the map on one side.
  across = np.round((answers - truth)[:, 1] / 360) * 360
  ends = answers - np.stack([np.zeros_like(across), across], axis=1)
  low = 0.0
  for high, colour in _ERRORS:
    own = ((distances > low) | (low == 0)) & (distances <= high)
    label = f'{low:,.0f} to {high:,} km' if np.isfinite(high) else f'over {low:,} km'
    lines = np.stack([truth[own], ends[own]], axis=1)[..., ::-1]
    axes.add_collection(LineCollection(lines, colors=colour, lw=0.7, alpha=0.6))
    axes.scatter(
      *truth[own].T[::-1], s=7, color=colour, label=f'{label}: {own.sum():,}', zorder=3
    )
    low = high
  figure.legend(loc='outside upper left', ncols=3, fontsize=8)
  return figure


def drawn_every(count: int) -> int:
  """Of so many errors every how many-th is drawn."""
  return -(-count // MOST_LINES)


def draw_places(positions: np.ndarray, box):
  """A Figure with a dot at each position (N, 2), degrees."""
  figure, axes = _map(box)
  axes.scatter(*positions.T[::-1], s=14, color='#a8322d', alpha=0.7, zorder=3)
  return figure


def _map(box):
  """(Figure, its axes) of a map."""
  west, east, south, north = box
  # A degree of longitude is as wide as it is in the middle of the map.
  middle = np.cos(np.radians((south + north) / 2))
  ratio = (north - south) / max((east - west) * middle, 1e-9)
  figure = canvas.new_figure(8, float(np.clip(7 * ratio, 2.5, 7)))
  axes = figure.subplots()
  axes.set_xlim(west, east)
  axes.set_ylim(south, north)
  axes.set_xlabel('longitude, degrees')
  axes.set_ylabel('latitude, degrees')
  axes.grid(color='#9aa7b4', lw=0.4)
  axes.set_axisbelow(True)
  return figure, axes

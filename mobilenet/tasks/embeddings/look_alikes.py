"""Photos that look alike, among photos of which nobody said what they show.

Groups of near copies are joined from pairs above a cosine; each photo has its nearest
neighbours. A table, a CSV file and a page show both.
"""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from input_pipeline import photos as photo_files
from input_pipeline.errors import DataError
from mobilenet.reports import counter, csv_file, page, terminal
from mobilenet.tasks.embeddings import cosines, drawing
from mobilenet.training.errors import require

NEIGHBOURS = 'neighbours.csv'
DEFAULT = 0.95  # of a few photos, which say nothing of what is usual
_FEW = 20
# Of the way from the usual cosine to 1. Of the flowers, pairs above it show the same
# scene, and pairs a little below only flowers of one kind (docs/embeddings.md).
_CLOSE = 0.9
_ALL_ALIKE = 0.99  # the usual cosine where nothing can be said of near copies
_ASKED, _ANSWERS = 40, 5  # of the page
_GROUPS, _OF_GROUP = 40, 6
_MOST_ROWS = 20  # of the printed table


class Alike(NamedTuple):
  """N photos and what they look like.

  names: of the photos. nearest: rows (N, k). similarities: their cosines (N, k).
  least: the cosine from which two are near copies. why: how it was chosen, in words.
  groups: rows of near copies, the largest first.
  """

  names: tuple[str, ...]
  nearest: np.ndarray
  similarities: np.ndarray
  least: float
  why: str
  groups: tuple[tuple[int, ...], ...]


def find(
  names: Sequence[str],
  embeddings: np.ndarray,
  *,
  neighbours: int = 10,
  least: float | None = None,
) -> Alike:
  """Finds the neighbours of each photo, and the groups of near copies.

  Args:
    names: of the N photos.
    embeddings: (N, E); they need not be of length 1.
    neighbours: of each photo.
    least: the cosine of near copies; None chooses one by what is usual of these photos.

  Raises:
    TrainingError: an embedding is not finite, or far too many pairs are near copies.
  """
  check(names, embeddings)
  units = cosines.unit(embeddings)
  nearest, similarities = cosines.nearest(units, neighbours)
  why = 'as given'
  if least is None:
    least, why = chosen(units)
  return Alike(tuple(names), nearest, similarities, least, why, groups(units, least))


def check(names: Sequence[str], embeddings: np.ndarray) -> None:
  """Checks that embeddings are numbers.

  Raises:
    TrainingError: one is not finite; the photo is named.
  """
  finite = np.isfinite(embeddings).all(axis=1)
  require(
    bool(finite.all()),
    f'the embedding of {names[int(np.argmin(finite))] if len(names) else ""} is no '
    'finite number: the weights are broken, or want photos on another scale',
  )


def chosen(units: np.ndarray) -> tuple[float, str]:
  """A cosine for near copies, and why: far closer than two photos usually are."""
  if len(units) < _FEW:
    return DEFAULT, f'the default for fewer than {_FEW} photos'
  usual = cosines.typical(units)
  why = f'two of these photos usually have {usual:.2f}'
  if usual > _ALL_ALIKE:
    why += ': the network hardly tells them apart'
  return _CLOSE + (1 - _CLOSE) * usual, why


def groups(units: np.ndarray, least: float) -> tuple[tuple[int, ...], ...]:
  """Rows that are joined by cosines of at least `least`, the largest group first."""
  from scipy import sparse
  from scipy.sparse import csgraph

  found, _ = cosines.pairs_above(units, least)
  if not len(found):
    return ()
  graph = sparse.coo_matrix(
    (np.ones(len(found), np.int8), found.T), shape=(len(units), len(units))
  )
  _, places = csgraph.connected_components(graph, directed=False)
  order = np.argsort(places, kind='stable')
  parts = np.split(order, np.flatnonzero(np.diff(places[order])) + 1)
  several = (tuple(part.tolist()) for part in parts if len(part) > 1)
  return tuple(sorted(several, key=lambda group: (-len(group), group)))


def show(alike: Alike, title: str) -> None:
  """Prints the photos with the nearest neighbour of each, the closest first."""
  print(title)
  pairs = _closest(alike)
  columns = [('photo', 'left'), ('most like it', 'left'), ('cosine', 'right')]
  table = terminal.make_table('The closest', columns)
  for row, other, cosine in pairs[:_MOST_ROWS]:
    terminal.add_row(table, alike.names[row], alike.names[other], f'{cosine:.4f}')
  if pairs:
    terminal.show(table)
    print(in_words(alike))


def in_words(alike: Alike) -> str:
  """A line on the near copies."""
  near = f'a cosine of {alike.least:.3f} or more ({alike.why})'
  if not alike.groups:
    return f'no two photos have {near}'
  among, count = sum(map(len, alike.groups)), len(alike.groups)
  of = '1 group' if count == 1 else f'{count:,} groups'
  return f'{among:,} photos in {of} have {near} with another of their group'


def write_neighbours(path: pathlib.Path, alike: Alike) -> pathlib.Path:
  """Writes a row for each photo and neighbour, the nearest first.

  Raises:
    TrainingError: it cannot be written.
  """
  rows = (
    (name, rank, alike.names[n], round(float(value), 6))
    for name, found, values in zip(
      alike.names, alike.nearest, alike.similarities, strict=True
    )
    for rank, (n, value) in enumerate(zip(found, values, strict=True), 1)
  )
  return csv_file.write(path, ('photo', 'rank', 'neighbour', 'cosine'), rows)


def add_sections(made: page.Page, alike: Alike, paths: Sequence[pathlib.Path]) -> None:
  """Adds the near copies and the neighbours of some photos to a page.

  Args:
    made: the page.
    alike: what was found.
    paths: of the photos, which are read again.
  """
  if len(paths) < 2:
    made.section('Alone', page.text('One photo has no neighbours: give several.'))
    return
  asked = np.linspace(0, len(paths) - 1, min(_ASKED, len(paths))).round().astype(int)
  asked = list(dict.fromkeys(asked.tolist()))
  shown = [group[:_OF_GROUP] for group in alike.groups[:_GROUPS]]
  answers = [alike.nearest[row, :_ANSWERS].tolist() for row in asked]
  rows = {n for group in shown for n in group} | set(asked)
  drawings_of = tiles(paths, sorted(rows.union(*answers)))
  made.section('Near copies', *_copies(alike, shown, drawings_of))
  drawings = []
  for row, found in zip(asked, answers, strict=True):
    values = alike.similarities[row]
    told = ', '.join(
      f'{alike.names[n]} {value:.2f}' for n, value in zip(found, values, strict=False)
    )
    drawn = drawing.row([drawings_of[n] for n in (row, *found)], asked=True)
    caption = f'{alike.names[row]}: {told}'
    drawings.append(page.picture(drawn, caption, side=drawn.shape[1]))
  legend = 'Left a photo, then the photos most like it, with their cosines.'
  some = f' {len(asked):,} of {len(paths):,} photos.' if len(asked) < len(paths) else ''
  made.section(
    'Nearest neighbours', page.text(legend + some), page.gallery(drawings, size='large')
  )


def _copies(alike, shown, drawings_of) -> list[Any]:
  said = in_words(alike)
  parts = [page.text(f'{said[:1].upper()}{said[1:]}.')]
  parts.append(
    page.text(
      'Look before you delete anything: photos of one thing from one place can be as '
      'close as copies. --alike=0.99 takes fewer pairs, --alike=0.9 more.'
    )
  )
  drawings = []
  for group, part in zip(alike.groups, shown, strict=False):
    more = f' and {len(group) - len(part):,} more' if len(group) > len(part) else ''
    caption = ', '.join(alike.names[n] for n in part) + more
    drawn = drawing.row([drawings_of[n] for n in part])
    drawings.append(page.picture(drawn, caption, side=drawn.shape[1]))
  if drawings:
    parts.append(page.gallery(drawings, size='large'))
  if len(alike.groups) > len(shown):
    parts.append(page.text(f'The {len(shown)} largest groups are shown.'))
  return parts


def tiles(paths: Sequence[pathlib.Path], rows: Sequence[int]) -> dict[int, np.ndarray]:
  """Row -> `drawing.tile` of its photo, which is read again."""
  drawn = {}
  with counter.counting(len(rows), 'photos drawn') as advance:
    for row in rows:
      try:
        picture = photo_files.read_small(paths[row], drawing.SIDE)
      except DataError as error:  # it was read before, and is gone since
        print(f'not drawn: {error}')
        picture = np.zeros((drawing.SIDE, drawing.SIDE, 3), np.uint8)
      drawn[row] = drawing.tile(picture)
      advance(1)
  return drawn


def _closest(alike: Alike) -> list[tuple[int, int, float]]:
  """Each photo and its nearest, the closest first; of two that are it mutually, one."""
  if not alike.nearest.shape[1]:
    return []
  pairs = {}
  for row in np.argsort(-alike.similarities[:, 0], kind='stable').tolist():
    other = int(alike.nearest[row, 0])
    pairs.setdefault(
      frozenset((row, other)), (row, other, float(alike.similarities[row, 0]))
    )
  return list(pairs.values())

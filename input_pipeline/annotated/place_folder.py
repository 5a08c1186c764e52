"""A folder of photos of which it is known where they were taken.

A CSV names the photos and has a column for each coordinate:

    photo,latitude,longitude
    images/1.jpg,48.8584,2.2945

Without a CSV the coordinates are those of the photos' own EXIF. `photo_table` says what
else may stand in a CSV, `cells` how places become classes.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from input_pipeline import cells, folder_layout, listed, photo_files
from input_pipeline.annotated import annotations, gps, photo_table, picture_index
from input_pipeline.annotated.annotations import Fault
from input_pipeline.annotated.picture_split import chosen
from input_pipeline.errors import DataError, some
from input_pipeline.folder_split import Split
from input_pipeline.source import Source

# Headings of the two columns, in lower case.
COLUMNS = (('latitude', 'longitude'), ('lat', 'lon'), ('lat', 'lng'), ('lat', 'long'))
EXIF = 'exif'  # instead of a CSV: the photos' own, whatever lies in the folder
POSITION = 'position'  # of a batch: float32 (N, 2), degrees


class Place(NamedTuple):
  """A photo: its path relative to the folder, its part ('' where nobody said), and
  where it was taken, in degrees.
  """

  name: str
  part: str
  latitude: float
  longitude: float

  @property
  def is_nowhere(self) -> bool:
    """Whether it lies at 0, 0, as some programs write where they know no place."""
    return self[2:] == (0, 0)


class Places(NamedTuple):
  """All that a folder has, and what was wrong with it."""

  photos: tuple[Place, ...]
  faults: tuple[Fault, ...]


def open_places(
  split: str,
  data_dir: str,
  *,
  annotations_at: str = '',
  split_by: Split | None = None,
  whole: bool = False,
  only: Sequence[str] | None = None,
  dir_flag: str = '--config.data.dir',
  split_flag: str = '--config.data.eval_split',
  partition: Mapping[str, int] | None = None,
  known: Sequence[str] = (),
) -> Source:
  """Opens `data_dir`; batches have 'label' and 'position', degrees, float32 (N, 2).

  The classes are S2 cells, made of the photos for training whatever the split. Photos
  for training that lie in none of them are left out; others have the label -1, since
  how far an answer is from them can be measured all the same.

  Args:
    split, data_dir, split_by, whole, only, dir_flag, split_flag: as of
      `box_folder.open_boxes`.
    annotations_at: the CSV; '' takes the only one of the folder, or without one EXIF;
      'exif' takes that.
    partition: fields of `cells.Partition`; None for its defaults.
    known: the cells of a run that has begun; () makes them.

  Raises:
    DataError: something is missing or cannot be read; the message says what to do.
  """
  parts = folder_layout.asked_parts(split)
  root = folder_layout.find_root(data_dir, dir_flag)
  found, split_by = read_places(root, annotations_at), split_by or Split()
  photos, by_seed = chosen(found.photos, parts, root, split_by, whole, only, split_flag)
  if whole and not any(photo.part for photo in found.photos):
    parts = (folder_layout.ALL,)
  notes, training = list(_notes(found.faults)), parts == ('train',)
  names = tuple(known) or cells.partition(
    positions(photos if training else _for_training(found.photos, root, split_by)),
    cells.Partition(**(partition or {})),
  )
  labels = cells.labels(positions(photos), names)
  if training and (labels < 0).any():
    notes.append(
      f'{(labels < 0).sum():,} of {len(photos):,} photos for training left out: they '
      'lie where too few others do (data.cells.fewest)'
    )
    photos = [photo for photo, label in zip(photos, labels, strict=True) if label >= 0]
    labels = labels[labels >= 0]
  nowhere = sum(place.is_nowhere for place in photos)
  if nowhere:
    notes.append(
      f'{nowhere:,} photos lie at latitude 0, longitude 0, which is what some programs '
      'write where they know no place: remove them if that is so'
    )
  return listed.source_of(
    'places',
    root,
    parts,
    [photo.name for photo in photos],
    {'label': labels, POSITION: np.float32(positions(photos))},
    names,
    by_seed=by_seed,
    labels=tuple(labels.tolist()),
    notes=tuple(notes),
  )


def positions(photos: Sequence[Place]) -> np.ndarray:
  """float64 (N, 2): latitude and longitude in degrees."""
  return np.array([photo[2:] for photo in photos], np.float64).reshape(-1, 2)


def _for_training(photos, root, split_by):
  """The photos that cells are made of; all where none is for training."""
  if {photo.part for photo in photos} - {'', 'train'} and not any(
    photo.part == 'train' for photo in photos
  ):
    return photos
  return chosen(photos, ('train',), root, split_by, False, None, '')[0]


def read_places(root: str | os.PathLike, annotations_at: str = '') -> Places:
  """All photos of a folder whose place is known, in the order of their names.

  Raises:
    DataError: there are none, or a coordinate is none.
  """
  index = picture_index.Index(root)
  is_table = any(name.lower().endswith('.csv') for name in os.listdir(root))
  if annotations_at != EXIF and (annotations_at or is_table):
    path = photo_table.find(root, annotations_at)
    return _of_table(index.root, path, photo_table.state(path, index))
  return _of_exif(index.root, tuple(index.pictures))


@functools.lru_cache(maxsize=2)
def _of_table(root, path, state):
  """`state` is what tells that files have changed since."""
  del state
  table = photo_table.read(root, path)
  by_lower = {name.lower(): name for name in table.columns}
  pair = next((pair for pair in COLUMNS if {*pair} <= by_lower.keys()), None)
  if pair is None:
    table.needs(*COLUMNS[0])
  columns = [by_lower[name] for name in pair]
  degrees = [[_number(table, row, column) for column in columns] for row in table.rows]
  _check(table, columns, np.array(degrees))
  return Places(
    tuple(
      Place(row.name, row.part, *own)
      for row, own in zip(table.rows, degrees, strict=True)
    ),
    table.faults,
  )


def _number(table, row, column) -> float:
  text = row.cells[column]
  try:
    # Where semicolons stand between the cells, a comma may be the decimal point.
    value = float(text.replace(',', '.'))
  except ValueError:
    value = np.nan
  if not np.isfinite(value):
    raise DataError(
      f'{table.where(row)}: {column} {text!r} is no number of degrees such as 48.8584; '
      'a photo without a place needs no row'
    )
  return value


def _check(table, columns, degrees):
  """Raises for the first row that is nowhere on the globe."""
  latitude, longitude = np.abs(degrees).T
  wrong = np.flatnonzero((latitude > 90) | (longitude > 180))
  if not wrong.size:
    return
  row, (own, other) = table.rows[wrong[0]], degrees[wrong[0]]
  where = table.where(row)
  if abs(own) > 90:
    line = f'{where}: {columns[0]} {own:g} is beyond ±90 degrees'
    if np.median(latitude) > 90 >= np.median(longitude):
      line += ', as most are: latitude and longitude seem to be swapped'
    raise DataError(line)
  line = f'{where}: {columns[1]} {other:g} is beyond ±180 degrees'
  if 180 < other <= 360:
    line += ': where they go from 0 to 360, subtract 360 from those above 180'
  raise DataError(line)


@functools.lru_cache(maxsize=2)
def _of_exif(root, names):
  if not names:
    raise DataError(f'no pictures ({" ".join(photo_files.endings())}) in {root}')
  found = gps.of_files([os.path.join(root, *name.split('/')) for name in names])
  photos = tuple(
    Place(name, picture_index.folder_part(name), *place)
    for name, place in zip(names, found, strict=True)
    if place
  )
  if not photos:
    raise DataError(
      f'none of the {len(names):,} photos in {root} has GPS coordinates in its EXIF: '
      'add a .csv with the columns photo, latitude, longitude'
    )
  without = [n for n, place in zip(names, found, strict=True) if not place]
  return Places(photos, tuple(Fault(name, 'no place') for name in without))


def _notes(faults):
  """A line for each kind of fault, with the first files."""
  for kind, found in annotations.by_kind(faults).items():
    said = dict.fromkeys(fault.detail or fault.file for fault in found)
    yield f'{annotations.counted(kind, len(found))} ({some(list(said))})'

"""A folder of photos with tags: a CSV that says which of several hold for each.

    photo,red,round            photo,tags
    1.jpg,1,0                  1.jpg,red
    2.jpg,1,                   2.jpg,"red,round"

Either every column is a tag, with 1 or 0 (also yes/no, true/false; -1 is 'no', as
CelebA has it), and an empty cell or '?' where nobody knows. Or one column is called
'tags' and names those that hold, with |, ; or commas between them; the others do not
hold then, and '?' alone stands for a photo of which nobody knows. A photo has one row:
a row for each photo and tag cannot be read. `photo_table` says what else may stand in
such a file.
"""

import functools
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from input_pipeline import folder_layout, listed
from input_pipeline.annotated import annotations, photo_table, picture_index
from input_pipeline.annotated.annotations import Fault
from input_pipeline.annotated.picture_split import chosen
from input_pipeline.errors import DataError, some
from input_pipeline.folder_split import Split
from input_pipeline.source import Source

FIELD = 'tags'  # of a batch
UNKNOWN = -1
# What a cell of a tag's own column may hold, in small letters.
_VALUES = {
  **dict.fromkeys(('1', '1.0', 'yes', 'true'), 1),
  **dict.fromkeys(('0', '0.0', 'no', 'false', '-1', '-1.0'), 0),
  **dict.fromkeys(('', '?'), UNKNOWN),
}
_NAMES = ('tags', 'labels')  # headings of a column that lists names
_BETWEEN = '|;,'  # names; the first of these that a cell has


class Tagged(NamedTuple):
  """A photo. tags: int8 (K,), 1, 0 or UNKNOWN. part: as `photo_table.Row` has it."""

  name: str
  part: str
  tags: np.ndarray


class Tags(NamedTuple):
  """What a folder says. path: of its CSV. names: of the K tags."""

  path: str
  names: tuple[str, ...]
  photos: tuple[Tagged, ...]
  faults: tuple[Fault, ...]


def open_tags(
  split: str,
  data_dir: str,
  *,
  annotations_at: str = '',
  split_by: Split | None = None,
  whole: bool = False,
  only: Sequence[str] | None = None,
  dir_flag: str = '--config.data.dir',
  split_flag: str = '--config.data.eval_split',
) -> Source:
  """Opens `data_dir`; batches have 'tags', float32 (N, K), 1, 0 or -1 for unknown.

  The tags are those of the whole file, whatever the split.

  Args:
    split: 'train', 'val', 'test' by any name of theirs, several with + between, 'all'.
    data_dir: the folder with the photos.
    annotations_at: the CSV; '' takes the only one in the folder.
    split_by: seed, holdout, group and fold where nothing says which part a photo is.
    whole: without parts, take everything, whatever the split.
    only: names of photos to take, whatever their part.
    dir_flag, split_flag: by which folder and split are given, for messages.

  Raises:
    DataError: something is missing or cannot be read; the message says what to do.
  """
  parts = folder_layout.asked_parts(split)
  root = folder_layout.find_root(data_dir, dir_flag)
  found = read_tags(root, annotations_at)
  photos, by_seed = chosen(
    found.photos, parts, root, split_by or Split(), whole, only, split_flag
  )
  if whole and not any(photo.part for photo in photos):
    parts = (folder_layout.ALL,)
  values = np.stack([photo.tags for photo in photos])
  notes = list(annotations.notes(found.faults))
  if untold := int((values == UNKNOWN).all(axis=1).sum()):
    notes.append(
      f'{untold:,} of {len(photos):,} photos of {"+".join(parts)} have no known tag: '
      'they are not measured, and learned from with a teacher alone (teacher.hard '
      'below 1)'
    )
  yes, no = (values == 1).any(axis=0), (values == 0).any(axis=0)
  if always := [found.names[n] for n in np.flatnonzero(yes & ~no)]:
    notes.append(
      f'every photo of {"+".join(parts)} has {some(always)}, as far as it is known: '
      'nothing shows what a photo without looks like'
    )
  return listed.source_of(
    'tags',
    root,
    parts,
    [photo.name for photo in photos],
    {FIELD: values.astype(np.float32)},
    found.names,
    by_seed=by_seed,
    notes=tuple(notes),
    class_counts=tuple((values == 1).sum(axis=0).tolist()),
    marks=(FIELD,),
  )


def read_tags(root: str | os.PathLike, annotations_at: str = '') -> Tags:
  """All tags of a folder, of all its parts.

  Raises:
    DataError: there is no CSV, it cannot be read, or a cell is no tag.
  """
  path = photo_table.find(root, annotations_at)
  index = picture_index.Index(root)
  return _of_table(index.root, path, photo_table.state(path, index))


@functools.lru_cache(maxsize=2)
def _of_table(root, path, state):
  """Both splits are opened: four million cells are not read for each. `state` is what
  tells that files have changed since.
  """
  del state
  table = photo_table.read(root, path)
  lists = [name for name in table.columns if name.lower() in _NAMES]
  names, rows = _listed(table, lists[0]) if lists else _in_columns(table)
  photos = (
    Tagged(row.name, row.part, tags) for row, tags in zip(table.rows, rows, strict=True)
  )
  return Tags(table.path, names, tuple(photos), table.faults)


def _in_columns(table):
  """(names, int8 (N, K)) of a table with a column for each tag."""
  if not table.columns:
    raise DataError(
      f'{table.path} has no column of a tag: add one for each, with 1 or 0, or one '
      "that is called 'tags' and names those that hold"
    )
  values = np.zeros((len(table.rows), len(table.columns)), np.int8)
  for place, row in enumerate(table.rows):
    for column, name in enumerate(table.columns):
      cell = row.cells[name]
      value = _VALUES.get(cell.lower())
      if value is None:
        raise DataError(
          f'{table.where(row)}, column {name!r}: {cell!r} is no tag. A tag has 1 or 0, '
          'or an empty cell for unknown; remove a column that says something else, or '
          "name the tags of a photo in one column 'tags'"
        )
      values[place, column] = value
  return table.columns, values


def _listed(table, column):
  """(names, int8 (N, K)) of a table with a column of names."""
  own = [_names_in(row.cells[column]) for row in table.rows]
  names = tuple(sorted({name for each in own if each for name in each}))
  if not names:
    raise DataError(f'{table.path} names no tag in its column {column!r}')
  values = np.zeros((len(own), len(names)), np.int8)
  places = {name: place for place, name in enumerate(names)}
  for row, each in zip(values, own, strict=True):
    row[:] = UNKNOWN if each is None else 0
    row[[places[name] for name in each or ()]] = 1
  return names, values


def _names_in(cell: str) -> list[str] | None:
  """The names in a cell; None where nobody knows."""
  if cell == '?':
    return None
  between = next((letter for letter in _BETWEEN if letter in cell), None)
  parts = [cell] if between is None else cell.split(between)
  return [part.strip() for part in parts if part.strip()]

"""Pairs of photos that show the same or not: of a file, or drawn from classes.

    photo_a,photo_b,same,fold
    anna/1.jpg,anna/4.jpg,1,0
    anna/1.jpg,bert/2.jpg,0,0

LFW's pairs.txt is read as well: its first line says how many folds there are and how
many pairs of each kind are in one; 'NAME 1 4' is a same pair, 'NAME 1 OTHER 2' a
different one, of the photos NAME_0001 and so on.
"""

import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from input_pipeline.annotated import photo_table, picture_index
from input_pipeline.errors import DataError, some
from mobilenet.training.errors import require

COLUMNS = ('photo_a', 'photo_b', 'same')
FOLD = 'fold'
FOLDS = 10
MOST = 10_000  # pairs of each kind that are drawn
_COUNTS = re.compile(r'\s*\d+(\s+\d+)?\s*')  # the first line of LFW's file


class Pairs(NamedTuple):
  """P pairs of rows of embeddings.

  first, second: (P,) int. same: (P,) bool. fold: (P,) int.
  """

  first: np.ndarray
  second: np.ndarray
  same: np.ndarray
  fold: np.ndarray


class NamedPairs(NamedTuple):
  """P pairs of photos, by their paths relative to a folder, with / between.

  photos: (P, 2) such paths. same: (P,) bool. fold: (P,) int.
  """

  photos: tuple[tuple[str, str], ...]
  same: np.ndarray
  fold: np.ndarray

  def of(self, names: Sequence[str]) -> tuple[Pairs, int]:
    """The pairs whose photos are both among `names`, as their places there.

    Returns:
      These, and how many are not.
    """
    places = {name: n for n, name in enumerate(names)}
    there = np.array([a in places and b in places for a, b in self.photos], bool)
    rows = [
      (places[a], places[b])
      for (a, b), known in zip(self.photos, there, strict=True)
      if known
    ]
    first, second = np.array(rows, int).reshape(-1, 2).T
    found = Pairs(first, second, self.same[there], self.fold[there])
    return found, int((~there).sum())


# ---- of a file -----------------------------------------------------------------------


def read(path: str | os.PathLike, folder: str | os.PathLike) -> NamedPairs:
  """Reads a file of pairs; see the module.

  Without a column of folds, `FOLDS` are drawn. A photo is found by its path below the
  folder, or by its file name if no other has that name.

  Args:
    path: of the file.
    folder: of the photos.

  Raises:
    DataError: the file cannot be read, or a line of it says nothing that can be used.
  """
  path = os.path.expanduser(path)
  try:
    with open(path, encoding='utf-8-sig') as file:
      lines = file.read().splitlines()
  except (OSError, UnicodeDecodeError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise DataError(f'{path} cannot be read: {reason}') from error
  index = picture_index.Index(folder)
  if lines and _COUNTS.fullmatch(lines[0]):
    return _lfw(path, lines, index)
  return _table(path, index)


def _table(path, index) -> NamedPairs:
  headings, rows = photo_table.read_cells(path)
  headings = [heading.lower() for heading in headings]
  lacking = [name for name in COLUMNS if name not in headings]
  if lacking:
    raise DataError(
      f'{path} has no column {" and ".join(map(repr, lacking))}, only '
      f'{some(headings)}; pairs are {",".join(COLUMNS)} and, if known, {FOLD}'
    )
  photos, same, folds = [], [], []
  for line, cells in rows:
    where = f'{path}, line {line}'
    if len(cells) != len(headings):
      raise DataError(
        f'{where}: {len(headings)} cells are expected, as in the headings, not '
        f'{len(cells)}'
      )
    row = dict(zip(headings, cells, strict=True))
    if row['same'] not in ('0', '1'):
      raise DataError(
        f'{where}: {row["same"]!r} in the column same; 1 is the same, 0 is not'
      )
    photos.append(_both(where, [index.find(row[n]) for n in COLUMNS[:2]], row, index))
    same.append(row['same'] == '1')
    if FOLD in row:
      if not re.fullmatch(r'\d{1,9}', row[FOLD]):
        raise DataError(f'{where}: {row[FOLD]!r} in the column {FOLD} is no number')
      folds.append(int(row[FOLD]))
  if not photos:
    raise DataError(f'{path} has no pairs')
  same = np.array(same)
  return NamedPairs(tuple(photos), same, np.array(folds) if folds else draw_folds(same))


def _both(where, found, row, index) -> tuple[str, str]:
  """The paths of both photos; a DataError that names the one that is not there."""
  for name, column in zip(found, COLUMNS[:2], strict=True):
    if name is None:
      raise DataError(f'{where}: no photo {row[column]!r} in {index.root}')
  if found[0] == found[1]:
    raise DataError(f'{where}: {found[0]} is paired with itself')
  return tuple(found)


def _lfw(path, lines, index) -> NamedPairs:
  counts = [int(word) for word in lines[0].split()]
  folds, each = counts if len(counts) == 2 else (1, counts[0])
  rows = [(n, line.split()) for n, line in enumerate(lines[1:], 2) if line.strip()]
  if len(rows) != 2 * folds * each or not rows:
    raise DataError(
      f'{path} has {len(rows):,} pairs, its first line ({lines[0].strip()}) promises '
      f'{2 * folds * each:,}: {folds} folds of {each:,} same and as many different ones'
    )
  photos, same = [], []
  for line, words in rows:
    where = f'{path}, line {line}'
    if len(words) == 3:
      words = [*words[:2], words[0], words[2]]
      same.append(True)
    else:
      same.append(False)
    if len(words) != 4 or not (words[1].isdecimal() and words[3].isdecimal()):
      raise DataError(
        f"{where}: {' '.join(words)!r} is no pair: 'NAME 1 4' or 'NAME 1 OTHER 2'"
      )
    stems = [f'{n}_{int(k):04d}' for n, k in (words[:2], words[2:])]
    found = [
      index.of_stem(stem, (name,)) for stem, name in zip(stems, words[::2], strict=True)
    ]
    photos.append(
      _both(where, found, dict(zip(COLUMNS[:2], stems, strict=True)), index)
    )
  same = np.array(same)
  if folds == 1:
    return NamedPairs(tuple(photos), same, draw_folds(same))
  return NamedPairs(tuple(photos), same, np.arange(len(rows)) // (2 * each))


# ---- drawn ---------------------------------------------------------------------------


def lacking(labels: np.ndarray) -> str:
  """Why no pairs can be made of classes, as the end of a line; '' where they can."""
  known = np.asarray(labels)[np.asarray(labels) >= 0]
  _, sizes = np.unique(known, return_counts=True)
  if len(sizes) < 2:
    return f'pairs need two classes (people, things), here is {len(sizes)}'
  if sizes.max() < 2:
    return 'pairs need a class of two photos or more, here each has one'
  return ''


def of_labels(labels: np.ndarray, most: int = MOST, seed: int = 0) -> Pairs:
  """All same pairs of a labelled set, and as many different ones, in folds.

  Args:
    labels: (N,) int; photos without one (-1) are in no pair.
    most: of each kind; where there are more, they are drawn.
    seed: of what is drawn.

  Raises:
    TrainingError: there is only one class, or none with two photos.
  """
  why = lacking(labels)
  require(not why, why)
  rng = np.random.default_rng(seed)
  labels = np.asarray(labels)
  rows = np.argsort(labels, kind='stable')
  rows = rows[labels[rows] >= 0]
  _, first, sizes = np.unique(labels[rows], return_index=True, return_counts=True)
  start = np.repeat(first, sizes)  # of the class of each, all in the order of classes
  # A photo makes a same pair with each photo before it in its class, and a different
  # one with each of the classes before.
  same = _drawn(rng, np.arange(len(rows)) - start, most)
  same = (same[0], start[same[0]] + same[1])
  different = _drawn(rng, start, min(most, len(same[0])))
  ones, others = (
    rows[np.concatenate([a, b])] for a, b in zip(same, different, strict=True)
  )
  kinds = np.arange(len(ones)) < len(same[0])
  return Pairs(others, ones, kinds, draw_folds(kinds, seed=seed))


def _drawn(rng, partners: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
  """(row, number of its partner) of up to `most` of all pairs, each at most once.

  Args:
    rng: draws them.
    partners: (N,) int, how many each row has.
    most: how many.
  """
  ends = np.cumsum(partners)
  total = int(ends[-1])
  if total > most:
    chosen = np.sort(rng.choice(total, most, replace=False))
  else:
    chosen = np.arange(total)
  ones = np.searchsorted(ends, chosen, side='right')
  return ones, chosen - (ends - partners)[ones]


def draw_folds(same: np.ndarray, folds: int = FOLDS, seed: int = 0) -> np.ndarray:
  """(P,) int: folds with as many same and different pairs each as can be.

  Of fewer pairs than folds, each is one.
  """
  rng = np.random.default_rng(seed)
  order = np.concatenate(
    [rng.permutation(np.flatnonzero(same == kind)) for kind in (True, False)]
  )
  fold = np.empty(len(same), int)
  fold[order] = np.arange(len(same)) % folds
  return fold


def of_folders(names: Sequence[str]) -> np.ndarray:
  """(N,) int: a number for the folder that each photo lies in."""
  folders = [pathlib.PurePath(name).parent.as_posix() for name in names]
  return np.unique(folders, return_inverse=True)[1]

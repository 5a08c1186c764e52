"""Which images of class folders are set aside for evaluation.

By default every class gives a share, drawn by a seed and the images' names. Images that
belong together (of one patient, plant, weld or day) can be kept on one side; and folds
set each part aside in turn.
"""

import collections
import csv
import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping, Sequence

from input_pipeline.errors import DataError, some

Images = list[tuple[int, list[str]]]  # (label, its images), in the order of the labels


@dataclasses.dataclass(frozen=True)
class Split:
  """How images are split.

  seed: of the draw. holdout: share of each class that becomes validation. group: which
  images belong together, see `group_of`; '' for none. fold: '2/5' sets the second of
  five equal parts aside, instead of the share; '' for none.
  """

  seed: int = 0
  holdout: float = 0.2
  group: str = ''
  fold: str = ''


def held_out(
  images: Sequence[tuple[int, Sequence[str]]],
  train: bool,
  root: str | os.PathLike,
  split: Split,
) -> Images:
  """The training or the validation part.

  Args:
    images: (label, its images), names beginning with the class folder.
    train: which of the two parts.
    root: the folder, for messages.
    split: how.

  Raises:
    DataError: a wrong share, fold or group, or nothing is left on one side.
  """
  if not 0 < split.holdout < 1:
    raise DataError(f'--config.data.holdout={split.holdout!r} must lie between 0 and 1')
  place, folds = _fold(split.fold)
  if split.group:
    names = [name for _, own in images for name in own]
    chosen = _grouped(images, group_of(names, split.group), split, place, folds)
  else:
    chosen = _drawn(images, split, place, folds)
  parts = [
    (label, sorted(name for name in names if (name in chosen) != train))
    for label, names in images
  ]
  if not any(names for _, names in parts):
    one = f'all images in {root} are one group'
    cause = one if split.group else f'no class in {root} has two images'
    side = 'train' if train else 'evaluate'
    raise DataError(f'{cause}: nothing is left to {side} on; add some')
  return parts


def _fold(text: str) -> tuple[int, int]:
  """'2/5' -> (1, 5); '' -> (0, 0)."""
  if not text:
    return 0, 0
  match = re.fullmatch(r'(\d+)/(\d+)', text)
  place, folds = map(int, match.groups()) if match else (0, 0)
  if not 1 <= place <= folds or folds < 2:
    raise DataError(
      f'--config.data.fold={text}: write 1/5 for the first of five parts, up to 5/5'
    )
  return place - 1, folds


def _drawn(images, split, place, folds) -> set[str]:
  """The names set aside, of every class the same share."""
  chosen: set[str] = set()
  for _, names in images:
    drawn = sorted(names, key=lambda name: _draw(split.seed, name.partition('/')[2]))
    if folds:
      ends = [len(names) * n // folds for n in (place, place + 1)]
      chosen.update(drawn[ends[0] : ends[1]])
    else:
      count = min(max(1, round(split.holdout * len(names))), len(names) - 1)
      chosen.update(drawn[:count])
  return chosen


def _draw(seed: int, text: str) -> bytes:
  return hashlib.sha256(f'{seed}/{text}'.encode('utf-8', 'surrogateescape')).digest()


def _grouped(images, groups: Mapping[str, str], split, place, folds) -> set[str]:
  """The names set aside, whole groups, with about the same share of every class.

  The largest groups are placed first, each where the classes it brings are furthest
  from their share; among equals the seed decides.
  """
  label_of = {name: label for label, names in images for name in names}
  members: dict[str, list[str]] = {}
  for name, group in groups.items():
    members.setdefault(group, []).append(name)
  shares = [1 / folds] * folds if folds else [split.holdout, 1 - split.holdout]
  totals = collections.Counter(label_of.values())
  filled = [collections.Counter() for _ in shares]
  chosen: set[str] = set()
  order = sorted(members, key=lambda g: (-len(members[g]), _draw(split.seed, g)))
  for group in order:
    brings = collections.Counter(label_of[name] for name in members[group])

    def over(part, brings=brings):
      return sum(
        n * (filled[part][label] + n) / (shares[part] * totals[label])
        for label, n in brings.items()
      )

    part = min(range(len(shares)), key=over)
    filled[part].update(brings)
    if part == place:
      chosen.update(members[group])
  return chosen


def group_of(names: Sequence[str], group: str) -> dict[str, str]:
  r"""Name of an image -> its group.

  Args:
    names: paths relative to the folder, 'sick/patient12_left.png'.
    group: a regular expression that is searched for in the names, such as
      r'patient\d+' (what is in its brackets counts, if it has some); or the path of a
      CSV file of two columns, the image and its group, with a line of headings. There
      an image is named by its path or by its file name.

  Raises:
    DataError: it is neither, or says nothing of an image.
  """
  found = _by_table(names, group) if group.endswith('.csv') else _by_name(names, group)
  lacking = sorted(name for name, own in found.items() if own is None)
  if lacking:
    raise DataError(
      f'--config.data.group={group} says nothing of {len(lacking):,} of {len(names):,} '
      f'images: {some(lacking)}'
    )
  return found


def _by_name(names, pattern):
  try:
    search = re.compile(pattern).search
  except re.error as error:
    raise DataError(
      f'--config.data.group={pattern} is no regular expression ({error}); write for '
      r'example patient\d+, or give a .csv file'
    ) from error

  def of(match):
    return match and '/'.join(match.groups('') or (match[0],))

  return {name: of(search(name)) for name in names}


def _by_table(names, path):
  try:
    with open(os.path.expanduser(path), encoding='utf-8-sig', newline='') as file:
      rows = [row for row in csv.reader(file) if row][1:]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    reason = getattr(error, 'strerror', None) or error
    raise DataError(f'--config.data.group={path} cannot be read: {reason}') from error
  if any(len(row) < 2 for row in rows):
    raise DataError(
      f'--config.data.group={path} needs two columns, the image and its group'
    )
  group = {row[0].strip().replace('\\', '/'): row[1].strip() for row in rows}
  return {
    name: group.get(name, group.get(name.rpartition('/')[2])) or None for name in names
  }

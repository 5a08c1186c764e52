"""Which images of class folders are set aside for evaluation.

By default every class gives a share, drawn by a seed and the images' names. Images that
belong together (of one patient, plant, weld or day) can be kept on one side; and folds
set each part aside in turn.
"""

import collections
import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence

from input_pipeline.errors import DataError
from input_pipeline.photo_groups import group_of

Images = list[tuple[int, list[str]]]  # (label, its images), in the order of the labels


@dataclasses.dataclass(frozen=True)
class Split:
  """How images are split.

  seed: of the draw. holdout: share of each class that becomes validation. group: which
  images belong together, see `photo_groups`; '' for none. fold: '2/5' sets the second
  of five equal parts aside, instead of the share; '' for none.
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

  A class with one image, or whose images are one group, is for training: a network
  cannot name what it has never seen. Any other class is on both sides if it can be; of
  folds, in as many as it has images or groups.

  Raises:
    DataError: a wrong share, fold or group, or nothing is left on one side.
  """
  if not 0 < split.holdout < 1:
    raise DataError(f'--config.data.holdout={split.holdout!r} must lie between 0 and 1')
  place, folds = fold_of(split.fold)
  if split.group:
    names = [name for _, own in images for name in own]
    chosen, free = _grouped(images, group_of(names, split.group), split, place, folds)
  else:
    chosen, free = _drawn(images, split, place, folds)
  parts = [
    (label, sorted(name for name in names if (name in chosen) != train))
    for label, names in images
  ]
  if not any(names for _, names in parts):
    raise _nothing_left(root, split, free, folds, len(images))
  return parts


def _nothing_left(root, split, free: int, folds: int, classes: int) -> DataError:
  """The error; `free` groups, or images of the largest class, could be set aside."""
  if folds and 0 < free < folds and (split.group or free > 1):
    what = 'images in its largest class'
    if split.group:
      what = f'group{"s" * (free > 1)} that can be set aside'
    fewer = f'use at most {free:,}' if free > 1 else 'leave out --config.data.fold'
    return DataError(
      f'{root} has {free:,} {what}, and the folds are {folds:,}: {fewer}'
    )
  one = classes == 1  # as pictures with annotations are
  cause = f'no class in {root} has two images'
  if one:
    cause = f'only one image in {root} can be used'
  remedy = 'add some'
  if split.group:
    cause = f'every group in {root} holds all images{"" if one else " of a class"}'
    remedy = 'give a --config.data.group that makes smaller ones, or add some'
  return DataError(f'{cause}: nothing is left to evaluate on; {remedy}')


def fold_of(text: str) -> tuple[int, int]:
  """'2/5' -> (1, 5); '' -> (0, 0).

  Raises:
    DataError: it is no such fold.
  """
  if not text:
    return 0, 0
  match = re.fullmatch(r'(\d+)/(\d+)', text)
  place, folds = map(int, match.groups()) if match else (0, 0)
  if not 1 <= place <= folds or folds < 2:
    raise DataError(
      f'--config.data.fold={text}: write 1/5 for the first of five parts, up to 5/5'
    )
  return place - 1, folds


def _drawn(images, split, place, folds) -> tuple[set[str], int]:
  """The names set aside, of every class the same share; and see `_nothing_left`."""
  chosen: set[str] = set()
  for _, names in images:
    if len(names) < 2:
      continue
    drawn = sorted(names, key=lambda name: draw(split.seed, name.partition('/')[2]))
    if folds:
      ends = [len(names) * n // folds for n in (place, place + 1)]
      chosen.update(drawn[ends[0] : ends[1]])
    else:
      count = min(max(1, round(split.holdout * len(names))), len(names) - 1)
      chosen.update(drawn[:count])
  return chosen, max((len(names) for _, names in images), default=0)


def draw(seed: int, text: str) -> bytes:
  """By which names are sorted to be drawn: other names change nothing."""
  return hashlib.sha256(f'{seed}/{text}'.encode('utf-8', 'surrogateescape')).digest()


def _grouped(
  images, groups: Mapping[str, str], split, place, folds
) -> tuple[set[str], int]:
  """The names set aside, whole groups, with about the same share of every class.

  The largest groups are placed first, each where the classes it brings are furthest
  from their share; among equals the seed decides. Then groups are moved to where a
  class has none, see `_spread`. Also how many groups could be set aside.
  """
  label_of = {name: label for label, names in images for name in names}
  members: dict[str, list[str]] = {}
  for name, group in groups.items():
    members.setdefault(group, []).append(name)
  brings = {
    group: collections.Counter(label_of[name] for name in names)
    for group, names in members.items()
  }
  holders = collections.Counter(label for own in brings.values() for label in own)
  # All of a class: it stays in training.
  bound = {g for g, own in brings.items() if any(holders[n] == 1 for n in own)}
  shares = [1 / folds] * folds if folds else [split.holdout, 1 - split.holdout]
  totals = collections.Counter(label_of.values())
  filled = [collections.Counter() for _ in shares]
  where: dict[str, int] = {}
  if not folds:
    where = dict.fromkeys(bound, 1)
    for group in bound:
      filled[1].update(brings[group])

  def over(group, part):
    """How far a group brings a part over its share of each class, and its size."""
    above = sum(
      n * (filled[part][label] + n) / (shares[part] * totals[label])
      for label, n in brings[group].items()
    )
    return above, filled[part].total()

  free = sorted(
    members.keys() - bound, key=lambda g: (-len(members[g]), draw(split.seed, g))
  )
  for group in free:
    where[group] = min(range(len(shares)), key=lambda part, g=group: over(g, part))
    filled[where[group]].update(brings[group])
  for group, part in _spread(brings, where, free[::-1], len(shares), over):
    filled[where[group]].subtract(brings[group])
    filled[part].update(brings[group])
    where[group] = part
  chosen = {n for g in free if where[g] == place for n in members[g]}
  return chosen, len(free)


def _spread(
  brings: Mapping[str, Mapping[int, int]],
  where: Mapping[str, int],
  free: Sequence[str],
  parts: int,
  over: Callable[[str, int], tuple],
):
  """(group, part) of the moves that bring a class into a part without it.

  As many parts get a class as it has groups. A move takes no other class out of a part
  that it is alone in, so that each brings more classes into more parts, and they end.

  Args:
    brings: group -> label -> images.
    where: group -> its part; whoever takes a move changes it before the next.
    free: the groups that may be moved.
    parts: their number.
    over: (group, part) -> what is to be small.
  """

  def places(label, moved=None, to=None):
    own = (g for g in where if label in brings[g])
    return {to if g == moved else where[g] for g in own}

  def loses_nothing(group, part):
    return all(
      len(places(label, group, part)) >= len(places(label)) for label in brings[group]
    )

  for label in sorted({label for own in brings.values() for label in own}):
    groups = [g for g in free if label in brings[g]]
    wanted = min(sum(label in brings[g] for g in where), parts)
    while len(there := places(label)) < wanted:
      moves = [
        (group, part)
        for group in groups
        for part in range(parts)
        if part not in there
        and len(places(label, group, part)) > len(there)
        and loses_nothing(group, part)
      ]
      if not moves:
        break
      yield min(moves, key=lambda move: over(*move))

"""Which pictures of a folder without classes are for training, and which are not."""

import os
from collections.abc import Sequence

from input_pipeline import folder_split
from input_pipeline.errors import DataError
from input_pipeline.folder_layout import ALL

# `folder_split` draws among classes by what follows the class folder in a name.
_ALL_OF_THEM = 'pictures/'


def chosen(
  pictures: Sequence,
  parts: tuple[str, ...],
  root: str | os.PathLike,
  split_by: folder_split.Split,
  whole: bool,
  only: Sequence[str] | None,
  split_flag: str,
) -> tuple[list, bool]:
  """The pictures of the asked parts, and whether a seed chose them.

  Args:
    pictures: each with a `name` and a `part`, '' where nobody said.
    parts: of `folder_layout.asked_parts`.
    root: their folder, for messages.
    split_by: how they are drawn where nobody said.
    whole: without parts, take everything.
    only: names to take, whatever their part; None for those of the split.
    split_flag: by which the split is given, for messages.

  Raises:
    DataError: a part is not there, or nothing is left.
  """
  there = sorted({picture.part for picture in pictures if picture.part})
  if there:
    taken = pictures
    if parts != (ALL,):
      for part in parts:
        if part not in there:
          others = ', or '.join(f'{split_flag}={other}' for other in there)
          raise DataError(f'no pictures for {part} in {root}; {others}')
      taken = [p for part in parts for p in pictures if p.part == part]
    return _named(taken, only, root), False
  if 'test' in parts:
    raise DataError(
      f'nothing in {root} says which pictures are for training and which for testing: '
      f'they are split into train and val; {split_flag}=val is the part put aside, '
      f'{split_flag}=all is everything'
    )
  if whole or parts in ((ALL,), ('train', 'val')):
    return _named(pictures, only, root), False
  if only is not None:
    return _named(pictures, only, root), True
  names = [_ALL_OF_THEM + picture.name for picture in pictures]
  kept = folder_split.held_out([(0, names)], parts == ('train',), root, split_by)
  own = {name.removeprefix(_ALL_OF_THEM) for name in kept[0][1]}
  return [picture for picture in pictures if picture.name in own], True


def _named(pictures, only, root):
  if only is None:
    if not pictures:
      raise DataError(f'no annotated pictures in {root}')
    return list(pictures)
  by_name = {picture.name: picture for picture in pictures}
  found = [by_name[name] for name in only if name in by_name]
  if not found:
    raise DataError(
      f'none of the {len(only):,} pictures that the run began with is in {root}'
    )
  return found

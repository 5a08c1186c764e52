"""What lies in a folder of photos, also where training would refuse to begin.

Training stops at the first thing that is wrong with a folder. Here each becomes a
refusal, a line to be reported, and the rest is listed all the same.
"""

import collections
import dataclasses
import os
import pathlib

from input_pipeline import DataError, folder_layout, folder_split, photo_files
from input_pipeline.errors import some
from input_pipeline.folder_walk import files_below, visible_folders

TRAIN, VAL = 'train', 'val'


@dataclasses.dataclass(frozen=True)
class File:
  """A file that is taken for a photo.

  name: relative to the folder, with / between.
  part: 'train', 'val' or 'test'; '' where the folder has no parts and no class of it
    can be split.
  class_name: '' outside of class folders.
  """

  name: str
  part: str
  class_name: str


@dataclasses.dataclass(frozen=True)
class Listing:
  """A folder: its photos, and what training would say of it.

  root: as it was given.
  classes: sorted; the union over the parts.
  files: sorted by name.
  by_seed: whether a seed makes the parts.
  refusals: a line for each reason for which training would not begin.
  loose: names of photos outside of class folders, which training passes over.
  passed_over: names of files of kinds that are not read.
  counts: class -> part -> number of files.
  by_class: whether whole classes are set aside, for a network that embeds: those that
    measure it are others than it learns.
  """

  root: pathlib.Path
  classes: tuple[str, ...]
  files: tuple[File, ...]
  by_seed: bool
  refusals: tuple[str, ...]
  loose: tuple[str, ...]
  passed_over: tuple[str, ...]
  counts: dict[str, collections.Counter]
  by_class: bool = False

  @property
  def parts(self) -> tuple[str, ...]:
    present = {file.part for file in self.files}
    return tuple(part for part in folder_layout.PARTS if part in present)

  def path(self, name: str) -> str:
    return os.path.join(self.root, name)


def of_folder(
  folder: str,
  flag: str,
  split: folder_split.Split | None = None,
  *,
  by_class: bool = False,
) -> Listing:
  """Lists a folder of photos; none of them is read.

  Args:
    folder: with train/<class>/ and val/<class>/, or with class folders.
    flag: by which it was given, for messages.
    split: by which training splits class folders; None for its default.
    by_class: whether it sets whole classes aside.

  Raises:
    DataError: there is no such folder, it cannot be listed or holds no photo.
  """
  root = folder_layout.find_root(folder, flag)
  try:
    places, by_seed, refusals = _places(root, flag, by_class)
    files, passed, empty = _files(root, places)
    above = _above(root, places)
  except OSError as error:
    raise folder_layout.reading_error(error) from error
  refusals += empty
  if by_seed:
    split_files = _split_classes if by_class else _split
    files, refusal = split_files(files, root, split or folder_split.Split())
    refusals += refusal
  loose, others = photo_files.sort_out(above)
  files += [File(name, '', '') for name in loose]
  if not files:
    raise DataError(
      f'no photos ({" ".join(photo_files.endings())}) in {root} or the folders below it'
    )
  counts = {name: collections.Counter() for _, _, name in places}
  for file in files:
    if file.class_name:
      counts[file.class_name][file.part] += 1
  return Listing(
    root=root,
    classes=tuple(sorted(counts)),
    files=tuple(sorted(files, key=lambda file: file.name)),
    by_seed=by_seed,
    refusals=tuple(refusals),
    loose=tuple(loose),
    passed_over=tuple(passed + others),
    counts=counts,
    by_class=by_class,
  )


def _places(root, flag, by_class):
  """([(part, folder below the root, class)], by a seed, refusals)."""
  refusals = []
  try:
    found = folder_layout.find_parts(root)
  except DataError as error:
    # Two folders for one part: what is in them is looked at as classes of nothing.
    return [], False, [str(error)]
  if not found:
    try:
      folder_layout.class_folders(root, flag, is_root=True)
    except DataError as error:
      refusals.append(str(error))
    return [('', name, name) for name in visible_folders(root)], True, refusals
  for part in (TRAIN, VAL):
    if part not in found:
      there = ', '.join(f'{name}/' for name in found.values())
      refusals.append(f'no {part}/ in {root} (there is {there})')
  places, all_classes = [], {}
  for part, folder in found.items():
    all_classes[part] = visible_folders(root / folder)
    places += [(part, f'{folder}/{name}', name) for name in all_classes[part]]
  first = found[next(iter(found))]
  try:
    folder_layout.class_folders(root / first, flag, is_root=False)
  except DataError as error:
    refusals.append(str(error))
  if by_class:
    return places, False, refusals + _in_several(places)
  union = sorted({name for names in all_classes.values() for name in names})
  for part, names in all_classes.items():
    if missing := [name for name in union if name not in names]:
      shown = ', '.join(missing[:5]) + ', ...' * (len(missing) > 5)
      refusals.append(f'the class folders differ: {root / found[part]} lacks {shown}')
  return places, False, refusals


def _in_several(places) -> list[str]:
  """A refusal where a class that is trained on is measured, too."""
  count = collections.Counter(name for _, _, name in places)
  if both := sorted(name for name in count if count[name] > 1):
    return [
      f'{len(both):,} of the classes lie in several parts ({some(both)}): a network '
      'that embeds is measured on classes that it never saw'
    ]
  return []


def _files(root, places):
  files, passed, refusals = [], [], []
  for part, folder, name in places:
    photos, others = photo_files.sort_out(files_below(root / folder))
    passed += [f'{folder}/{other}' for other in others]
    files += [File(f'{folder}/{photo}', part, name) for photo in photos]
    if not photos:
      refusals.append(
        f'no photos in class folder {root / folder}; add some, or remove the folder'
      )
  return files, passed, refusals


def _above(root, places):
  """Names of files that lie in no class folder."""
  within = {folder for _, folder, _ in places}
  return [
    name
    for name in files_below(root)
    if not any(
      '/'.join(name.split('/')[:depth]) in within
      for depth in range(1, min(3, name.count('/') + 1))
    )
  ]


def _split(files, root, split):
  """The files with the parts that a seed gives them, and why it cannot."""
  by_class = collections.defaultdict(list)
  for file in files:
    by_class[file.class_name].append(file.name)
  images = [(name, by_class[name]) for name in sorted(by_class)]
  try:
    kept = folder_split.held_out(images, False, root, split)
  except DataError as error:
    return files, [str(error)] if images else []
  evaluated = {name for _, names in kept for name in names}
  return [
    dataclasses.replace(file, part=VAL if file.name in evaluated else TRAIN)
    for file in files
  ], []


def _split_classes(files, root, split):
  """As `_split`, each class on one side."""
  from input_pipeline import identities  # TensorFlow

  classes = sorted({file.class_name for file in files})
  try:
    aside = identities.chosen(classes, False, root, split)
  except DataError as error:
    return files, [str(error)] if files else []
  return [
    dataclasses.replace(file, part=VAL if file.class_name in aside else TRAIN)
    for file in files
  ], []

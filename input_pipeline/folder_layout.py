"""How a folder of photos is laid out: in train/ and val/, or in class folders alone."""

import os
import pathlib

from input_pipeline.errors import DataError, nearest
from input_pipeline.folder_walk import files_below, visible_folders

# Part -> what its folder may be called, in any capitalisation.
PARTS = {
  'train': ('train', 'training'),
  'val': ('val', 'valid', 'validation'),
  'test': ('test', 'testing'),
}
ALL = 'all'
_PART_OF = {name: part for part, names in PARTS.items() for name in names}
_UNPACKED_BY = {
  '.zip': 'unzip {file} -d {folder}',
  '.tar': 'mkdir {folder} && tar xf {file} -C {folder}',
  '.tgz': 'mkdir {folder} && tar xf {file} -C {folder}',
  '.gz': 'mkdir {folder} && tar xf {file} -C {folder}',
  '.7z': '7z x {file} -o{folder}',
  '.rar': 'unrar x {file} {folder}/',
}


def asked_parts(split: str) -> tuple[str, ...]:
  """'validation' -> ('val',), 'train+val' -> both, 'all' -> ('all',).

  Raises:
    DataError: a part does not exist; the message names the nearest.
  """
  asked = [name.strip() for name in split.split('+')]
  known = {**_PART_OF, ALL: ALL}
  for name in asked:
    if name.lower() not in known:
      raise DataError(f'unknown split {name!r} of a folder: {nearest(name, known)}')
  parts = {known[name.lower()] for name in asked}
  return (ALL,) if ALL in parts else tuple(part for part in PARTS if part in parts)


def find_root(data_dir: str, dir_flag: str) -> pathlib.Path:
  """The folder of that name.

  Args:
    data_dir: as it was typed.
    dir_flag: by which it was, for messages.

  Raises:
    DataError: it is none; the message says what it is, and what to type.
  """
  if not data_dir:
    raise DataError(f'which folder of photos? {dir_flag}=FOLDER')
  root = pathlib.Path(data_dir).expanduser()
  if root.is_dir():
    return root
  for archive in (root, *(root.with_name(root.name + end) for end in _UNPACKED_BY)):
    if archive.suffix.lower() in _UNPACKED_BY and archive.is_file():
      folder = archive.with_name(archive.name.partition('.')[0])
      command = _UNPACKED_BY[archive.suffix.lower()].format(file=archive, folder=folder)
      what = 'is packed' if archive == root else f'is no folder, but there is {archive}'
      raise DataError(f'{root} {what}: unpack it first: {command}; {dir_flag}={folder}')
  if root.exists():
    raise DataError(
      f'{root} is a file; {dir_flag}= takes the folder that holds train/ and val/, or '
      'a folder for each class'
    )
  near = ''
  if root.parent.is_dir():
    near = nearest(root.name, visible_folders(root.parent))
  hint = f': {near}' if near.startswith('did you mean') else ''
  raise DataError(
    f'no folder {root}{hint}; {dir_flag}= takes the folder that holds train/ and val/, '
    'or a folder for each class'
  )


def find_parts(root: pathlib.Path) -> dict[str, str]:
  """Part -> its folder in `root`; nothing where the folders are classes.

  They are parts where a train/ with folders in it is among them, or where all of them
  are called like parts: a class may be called 'train' beside 'bus' and 'car'.

  Raises:
    DataError: two folders stand for one part.
  """
  folders = visible_folders(root)
  found: dict[str, list[str]] = {}
  for folder in folders:
    if part := _PART_OF.get(folder.lower()):
      found.setdefault(part, []).append(folder)
  has_train = any(visible_folders(root / folder) for folder in found.get('train', ()))
  if not has_train and sum(map(len, found.values())) < len(folders):
    return {}
  for part, names in found.items():
    if len(names) > 1:
      both = ' and '.join(f'{name}/' for name in names)
      raise DataError(f'{root} has {both}: which is {part}? rename one, or join them')
  return {part: found[part][0] for part in PARTS if part in found}


def parts_of_classes(
  parts: tuple[str, ...], root: pathlib.Path, whole: bool, split_flag: str
) -> tuple[str, ...]:
  """The parts that are asked of class folders alone: 'train', 'val' or all.

  Args:
    parts: of `asked_parts`.
    root: the folder, for messages.
    whole: take all, whatever was asked.
    split_flag: by which the parts are given, for messages.

  Raises:
    DataError: the test part is asked, which a seed does not make.
  """
  if 'test' in parts:
    raise DataError(
      f'no train/ and test/ in {root}: class folders alone are split into train and '
      f'val; {split_flag}=val is the part put aside, {split_flag}=all is everything'
    )
  return (ALL,) if whole or parts == ('train', 'val') else parts


def missing_part(
  root: pathlib.Path, part: str, found: dict[str, str], dir_flag: str, split_flag: str
) -> DataError:
  """The error for a part that a folder with others has not."""
  present = ', '.join(f'{name}/' for name in found.values())
  advice = [f'{split_flag}={other}' for other in found if other != 'train']
  if part != 'test' and 'train' in found:
    train = root / found['train']
    advice.append(f'{dir_flag}={train} to have that split by the seed')
  advice = ', or '.join(advice) or 'make one'
  return DataError(f'no {part}/ in {root} (there is {present}); {advice}')


def class_folders(
  folder: pathlib.Path, dir_flag: str, *, is_root: bool
) -> tuple[str, ...]:
  """The names of the class folders in a folder, sorted as plain text.

  That is the order of the labels, as in torchvision and Keras: 's10' before 's2'.

  Args:
    folder: the root, or the folder of a part.
    dir_flag: by which the root was given.
    is_root: which of both it is.

  Raises:
    DataError: there are fewer than two; the message says what is there instead. Or a
      name is no text, which reports and the run's files could not hold.
  """
  classes = visible_folders(folder)
  for name in classes:
    shown = name.encode('utf-8', 'backslashreplace').decode()
    if shown != name:
      raise DataError(
        f'the name of class folder {shown} in {folder} is not text (UTF-8): rename it'
      )
  if not classes:
    files = files_below(folder)
    there = f', but {_count(files)} such as {files[0]}' if files else ''
    raise DataError(
      f'no class folders in {folder}{there}; put the images of each class into a '
      f'folder of its own, such as {folder / "cats"}'
    )
  if len(classes) == 1:
    alone = folder / classes[0]
    inside = visible_folders(alone)
    if inside:
      move = f'{dir_flag}={alone}' if is_root else f'mv {alone}/* {folder}'
      raise DataError(
        f'only one folder in {folder}: {classes[0]}/, with {_count(inside, "folder")} '
        f'such as {inside[0]}/ in it; if those are the classes: {move}'
      )
    raise DataError(
      f'only one class folder in {folder}: {classes[0]}/; two are needed: put images '
      f'that show something else into another, such as {folder / "other"}'
    )
  return tuple(classes)


def _count(names, noun='file') -> str:
  return f'{len(names):,} {noun}{"s" * (len(names) != 1)}'


def reading_error(error: OSError) -> DataError:
  """A folder that cannot be listed, in one line."""
  path = os.fspath(error.filename) if error.filename else 'a folder'
  return DataError(f'cannot read {path}: {error.strerror or error}')

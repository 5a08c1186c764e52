"""Finds the pictures that annotations name: they seldom say where these lie."""

import collections
import os
import posixpath
import re
from typing import NamedTuple

from input_pipeline import exif, folder_layout, photo_files, photo_reader
from input_pipeline.errors import DataError
from input_pipeline.folder_walk import files_below


class Index:
  """The files below a folder.

  Attributes:
    root: the folder.
    files: their paths relative to it, with / between, sorted.
    pictures: those that can be read as pictures.
  """

  def __init__(self, root: str | os.PathLike):
    self.root = os.fspath(root)
    try:
      self.files = files_below(root)
    except OSError as error:
      raise folder_layout.reading_error(error) from error
    self.pictures, _ = photo_files.sort_out(self.files)
    self._known = set(self.pictures)
    self._by_base, self._by_stem = (collections.defaultdict(list) for _ in range(2))
    for name in self.pictures:
      self._by_base[posixpath.basename(name)].append(name)
      self._by_stem[posixpath.splitext(posixpath.basename(name))[0]].append(name)

  def find(self, named: str, folders=('',)) -> str | None:
    """The picture of that name, below one of the folders, or alone of its base name.

    Args:
      named: as an annotation names it, with / or \\ between.
      folders: relative to the root, the likeliest first.
    """
    named = named.replace('\\', '/').lstrip('/')
    for folder in folders:
      name = posixpath.normpath(posixpath.join(folder, named))
      if name in self._known:
        return name
    return _only(self._by_base[posixpath.basename(named)], folders)

  def of_stem(self, stem: str, folders=('',)) -> str | None:
    """The picture of that stem: in one of the folders, or alone of that stem."""
    found = self._by_stem[stem]
    for folder in folders:
      for name in found:
        if posixpath.dirname(name) == folder:
          return name
    return _only(found, folders)

  def has_stem(self, file: str) -> bool:
    """Whether there is a picture of a file's stem, anywhere."""
    return posixpath.splitext(posixpath.basename(file))[0] in self._by_stem

  def beside(self, names) -> list[str]:
    """The pictures in the folders of some: others may be masks, or other data."""
    folders = {posixpath.dirname(name) for name in names}
    return [name for name in self.pictures if posixpath.dirname(name) in folders]

  def path(self, name: str) -> str:
    return os.path.join(self.root, *name.split('/'))


def _only(found, folders):
  """Of several the one that lies below a folder, and nothing where that is unclear."""
  if len(found) > 1:
    below = [name for name in found if folders[0] and name.startswith(f'{folders[0]}/')]
    found = below or found
  return found[0] if len(found) == 1 else None


def part_of(path: str) -> str:
  """'train', 'val' or 'test' where a folder or the stem of a path says so; else ''.

  'annotations/instances_val2017.json' is 'val', 'images/train/1.jpg' is 'train'.
  """
  *folders, name = path.split('/')
  for text in (posixpath.splitext(name)[0], *reversed(folders)):
    for word in re.split(r'[^a-z]+', text.lower()):
      for part, names in folder_layout.PARTS.items():
        if word in names:
          return part
  return ''


def folder_part(path: str) -> str:
  """`part_of` the folders of a path alone: a picture may be called 'train_12.jpg'."""
  for folder in reversed(path.split('/')[:-1]):
    if part := part_of(folder):
      return part
  return ''


def listed(index: Index, folders=('ImageSets/Main', '')) -> dict[str, str]:
  """Stem -> part, of lists such as ImageSets/Main/train.txt; {} without any."""
  for folder in folders:
    part_by_stem = {}
    for part, names in folder_layout.PARTS.items():
      for name in names:
        file = posixpath.join(folder, f'{name}.txt')
        if file not in index.files:
          continue
        with open(index.path(file), encoding='utf-8-sig', errors='replace') as lines:
          for line in lines:
            if line.strip():
              base = posixpath.basename(line.strip().replace('\\', '/'))
              stem, ending = posixpath.splitext(base)
              stem = stem if ending.lower() in photo_files.endings() else base
              part_by_stem.setdefault(stem, part)
    if part_by_stem:
      return part_by_stem
  return {}


class Head(NamedTuple):
  """Of a picture. stored, upright: (height, width) without and with its EXIF.
  orientation: of EXIF, 1 to 8.
  """

  stored: tuple[int, int]
  upright: tuple[int, int]
  orientation: int


def head(path: str) -> Head:
  """The sides of a picture; its pixels are not read.

  Raises:
    DataError: it is no picture.
  """
  try:
    with open(path, 'rb') as file:
      start = file.read(exif.HEAD)
      file.seek(0)
      with photo_reader.opened(file) as image:
        width, height = image.size
        turn = photo_reader.orientation(start, image)
  except Exception as error:  # decoders raise whatever a broken file leads them to
    raise DataError(f'{path} cannot be read: {photo_reader.reason(error)}') from error
  upright = (width, height) if exif.TURNS[turn - 1][0] else (height, width)
  return Head((height, width), upright, turn)


def sides(path: str) -> tuple[int, int]:
  """(height, width) of a picture, upright by its EXIF; raises as `head`."""
  return head(path).upright

"""Which examples of a split a run was trained on: of those its accuracy says little."""

import collections
import hashlib
import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mobilenet.runs.run_data import RunData, some

_END = 4096  # bytes


class Overlap(NamedTuple):
  """count: examples that were trained on. some: indexes of a few, where they are known.

  by_name: some of them were found by their names alone, since what was trained on is
    not where it was.
  """

  count: int
  some: tuple[int, ...] = ()
  by_name: bool = False


def find(trained: RunData, source, open_split: Callable) -> Overlap:
  """The overlap of a source with what was trained on.

  Photos are the same if their paths are, or their content: what has the size of another
  is read. One that is not where it was may be that of the same class and name in the
  run's own folder (moved from train/ to val/), or in any folder if all are gone (moved
  together). Records of TFDS are the same if their places in the files of the same
  version are. Of made data, whole splits are.

  Args:
    trained: of the run.
    source: an `input_pipeline.Source`.
    open_split: name -> source of another split, where `source` is from.
  """
  if source.names is not None and trained.train.names is not None:
    return _of_photos(trained, source)
  if source.origin != trained.origin:
    return Overlap(0)
  if source.slices is not None:
    return _of_records(open_split(trained.train.split).slices(0, 1), source)
  same = source.split == trained.train.split
  return Overlap(source.num_examples if same else 0)


def between(source, eval_source) -> Overlap:
  """The examples of a folder's evaluation split that its training split holds too.

  The same path, or a copy to the byte. Only files of equal size are read.

  Args:
    source, eval_source: opened splits of a folder.
  """
  there = {os.path.join(source.origin, name) for name in source.names}
  here = [os.path.join(eval_source.origin, name) for name in eval_source.names]
  copies = set(_copies([path for path in here if path not in there], there))
  found = [n for n, path in enumerate(here) if path in there or path in copies]
  return Overlap(len(found), tuple(found[:3]))


def described(found: Overlap, source) -> str:
  """The line of a warning, of an overlap that is not empty."""
  total = source.num_examples
  number = f'{found.count:,} of these {total:,} examples'
  if found.count == total:
    number = f'all of these {total:,} examples'
  such = ''
  if found.some:
    more = ', ...' if found.count > len(found.some) else ''
    such = f' ({some([source.describe(index) for index in found.some])}{more})'
  how = ', going by their names,' if found.by_name else ''
  return f'{number} were trained on{how}{such}: new ones are harder'


def _of_photos(trained: RunData, source) -> Overlap:
  names, kept = trained.train.names, {}
  for name in names:
    path = os.path.join(trained.origin, name)
    if os.path.exists(path):
      kept[path] = name
  gone = set(names) - set(kept.values())
  if kept and source.origin != trained.origin:
    gone = set()
  gone = {_in_its_class(name, source.class_names) for name in gone}
  here = [os.path.join(source.origin, name) for name in source.names]
  copies = set(_copies([path for path in here if path not in kept], kept))
  by_content, by_name = [], []
  for index, (path, name) in enumerate(zip(here, source.names, strict=True)):
    if path in kept or path in copies:
      by_content.append(index)
    elif _in_its_class(name, source.class_names) in gone:
      by_name.append(index)
  found = sorted([*by_content, *by_name])
  return Overlap(len(found), tuple(found[:3]), bool(by_name))


def _in_its_class(name: str, classes: tuple[str, ...]) -> str:
  """'train/ash/1.jpg' -> 'ash/1.jpg'."""
  first, _, rest = name.partition('/')
  return name if first in classes else rest


def _copies(here: Iterable[str], there: Iterable[str]) -> list[str]:
  """The files `here` with the content of one `there`.

  Each turn looks closer, at those that were alike in the turn before.
  """
  here, there = list(here), list(there)
  for look in (_size, end, _content):
    seen_here, seen_there = (_seen(look, paths) for paths in (here, there))
    alike = seen_here.keys() & seen_there.keys()
    here, there = ([p for a in alike for p in s[a]] for s in (seen_here, seen_there))
  return here


def _seen(look: Callable, paths: Iterable[str]) -> dict:
  """What is seen of files -> the files; those that cannot be read are left out."""
  found = collections.defaultdict(list)
  for path in paths:
    try:
      found[look(path)].append(path)
    except OSError:
      continue
  return found


def _size(path: str) -> int | str:
  return os.path.getsize(path) or path  # an empty file is like no other


def end(path: str) -> bytes:
  """The last bytes of a file: of photos of equal size they nearly always differ.

  Raises:
    OSError: it cannot be read.
  """
  with open(path, 'rb') as file:
    file.seek(max(0, os.fstat(file.fileno()).st_size - _END))
    return file.read()


def _content(path: str) -> bytes:
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, hashlib.blake2b).digest()


def _of_records(trained, source) -> Overlap:
  ranges = collections.defaultdict(list)
  for part in trained:
    ranges[os.path.basename(part.filename)].append((part.skip, part.skip + part.take))
  found = set()
  for part in source.slices(0, 1):
    for first, stop in ranges[os.path.basename(part.filename)]:
      begin = max(first, part.skip)
      end = min(stop, part.skip + part.take)
      found.update(part.start + n - part.skip for n in range(begin, end))
  return Overlap(len(found), tuple(sorted(found)[:3]))

"""What a run was trained on, kept in its folder: `data.json`, and the names beside it.

    now = of(source, eval_source)
    before = read(folder)  # of a run that began already
    if before and (change := changes(before, now)):
      print(change.line)
    write(folder, now)

Photos come and go between two starts of a run. Which of them it learns from and which
measure it must not change then, so it is written down when the run begins.
"""

import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax

from mobilenet.training import files
from mobilenet.training.errors import TrainingError

FILE = 'data.json'
NAMES_FILE = 'data_names.json.gz'
PARTS = ('train', 'evaluation')
_SIZES = '_sizes'


@dataclasses.dataclass(frozen=True)
class Part:
  """A split: its name, its size, and of a folder the examples' names.

  sizes: of a folder, bytes of each photo; None of a run of an older version.
  """

  split: str
  num_examples: int
  names: tuple[str, ...] | None
  sizes: tuple[int, ...] | None = None

  def as_dict(self) -> dict[str, Any]:
    names, sizes = self.names, self.sizes
    said = {
      'split': self.split,
      'num_examples': self.num_examples,
      'names_blake2b': None if names is None else _digest(names),
    }
    if sizes is not None:
      pairs = zip(names, sizes, strict=True)
      said['sizes_blake2b'] = _digest(f'{name}\0{size}' for name, size in pairs)
    return said

  def changed(self, other: 'Part') -> list[str]:
    """Names of the photos that have another size in a part of the same names."""
    if self.sizes is None or other.sizes is None:
      return []
    there = dict(zip(other.names, other.sizes, strict=True))
    here = zip(self.names, self.sizes, strict=True)
    return sorted(name for name, size in here if there.get(name, size) != size)


@dataclasses.dataclass(frozen=True)
class RunData:
  """origin: where the data came from. train, evaluation: the run's two splits."""

  origin: str
  train: Part
  evaluation: Part

  def of_split(self, split: str) -> Part | None:
    """The part of that name, if it is one of the two."""
    parts = (self.evaluation, self.train)
    return next((part for part in parts if part.split == split), None)


class Change(NamedTuple):
  """line: for a person. new: whether there is data that the run did not begin with."""

  line: str
  new: bool


def of(source, eval_source) -> RunData:
  """Of the two opened sources (`input_pipeline.Source`)."""
  return RunData(source.origin, *map(part_of, (source, eval_source)))


def part_of(source) -> Part:
  """Of an opened source."""
  sizes = None
  if source.names is not None:
    sizes = tuple(_size(os.path.join(source.origin, name)) for name in source.names)
  return Part(source.split, source.num_examples, source.names, sizes)


def _size(path: str) -> int:
  """Bytes; -1 of a file that cannot be looked at, which training leaves out."""
  try:
    return os.path.getsize(path)
  except OSError:
    return -1


def same(one: RunData, other: RunData) -> bool:
  """Whether both are of the same photos, or records, on the same sides."""
  return all(
    identity(one, part) == identity(other, part) for part in PARTS
  ) and not any(getattr(one, part).changed(getattr(other, part)) for part in PARTS)


def identity(data: RunData, part: str) -> tuple:
  """Of 'train' or 'evaluation': equal for the same names, wherever their folder is."""
  own = getattr(data, part)
  if own.names is None:
    return own.split, own.num_examples, data.origin
  return own.split, own.num_examples, _digest(own.names)


def write(folder: pathlib.Path, data: RunData) -> None:
  """Writes what is there by `data`; process 0 alone.

  `data.json` is for people: origin, splits, sizes, a hash over the sorted names.
  `data_names.json.gz` holds the names and the files' sizes in bytes, {'train': [...],
  'evaluation': [...], 'train_sizes': [...], 'evaluation_sizes': [...]}.

  Raises:
    TrainingError: it cannot be written.
  """
  if jax.process_index() != 0:
    return
  parts = {name: getattr(data, name) for name in PARTS}
  names = {name: part.names for name, part in parts.items() if part.names is not None}
  names |= {
    f'{name}{_SIZES}': part.sizes
    for name, part in parts.items()
    if part.sizes is not None
  }
  if names:
    # Of equal names equal bytes: no time of day in the file.
    packed = gzip.compress(json.dumps(names).encode(), 6, mtime=0)
    files.replace_file(folder / NAMES_FILE, packed)
  said = {'origin': data.origin, **{k: part.as_dict() for k, part in parts.items()}}
  files.replace_file(folder / FILE, (json.dumps(said, indent=2) + '\n').encode())


def read(folder: pathlib.Path) -> RunData | None:
  """What the run in a folder began with.

  None where nothing was saved of it yet (it begins anew, with what is there then), or
  where an older version began it.

  Raises:
    TrainingError: it cannot be read, or the two files do not belong together.
  """
  return recorded(folder) if _has_checkpoint(folder) else None


def recorded(folder: pathlib.Path) -> RunData | None:
  """What the two files in a run's folder say, whether or not it can be resumed.

  None where an older version made the run.

  Raises:
    TrainingError: as `read`.
  """
  path = folder / FILE
  if not path.exists():
    return None
  try:
    said = json.loads(path.read_text(encoding='utf-8'))
    names = {}
    if any(said[part]['names_blake2b'] for part in PARTS):
      names = json.loads(gzip.decompress((folder / NAMES_FILE).read_bytes()))
    parts = []
    for part in PARTS:
      own, sizes = (
        tuple(names[key]) if key in names else None for key in (part, part + _SIZES)
      )
      parts.append(Part(said[part]['split'], said[part]['num_examples'], own, sizes))
      if parts[-1].as_dict() != said[part]:
        raise ValueError(f'{NAMES_FILE} holds other names')
    return RunData(said['origin'], *parts)
  except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
    raise TrainingError(
      f'{path} and {NAMES_FILE}, which say what the run was trained on, cannot be read '
      f'({error}); give them back, or remove both to go on with the data as it is now'
    ) from error


def _has_checkpoint(folder: pathlib.Path) -> bool:
  return any(path.name.isdigit() for path in (folder / 'checkpoints').glob('*'))


def changes(before: RunData, now: RunData) -> Change | None:
  """What is different now; None where nothing is.

  Of a folder '12 photos gone (a/1.jpg, ...), 3 new (b/2.jpg) since this run began'.
  It may have been moved as a whole. Where a file says the parts of the photos, it may
  say another one now: '2 photos on the other side (3.jpg, 7.jpg)'.
  """
  old, new = (_names(data) for data in (before, now))
  if old is None or new is None:
    was, here = (_described(data) for data in (before, now))
    line = f'this run began with {was}, here is {here}'
    return None if was == here else Change(line, True)
  gone, more = sorted(old - new), sorted(new - old)
  over = []
  if not gone and not more:  # a seed draws anew where photos come or go
    over = sorted(_gained(before, now, 'train') | _gained(before, now, 'evaluation'))
  said = [
    f'{len(names):,} {what} ({some(names)})'
    for names, what in (
      (gone, 'photo gone' if len(gone) == 1 else 'photos gone'),
      (more, 'new'),
      (over, f'photo{"s" * (len(over) != 1)} on the other side'),
    )
    if names
  ]
  line = f'{", ".join(said)} since this run began'
  return Change(line, bool(more)) if said else None


def _gained(before: RunData, now: RunData, part: str) -> set[str]:
  """What a part has now and had not, of the photos that the other part had."""
  other = next(name for name in PARTS if name != part)
  had, lacked, has = (
    set(getattr(data, name).names)
    for data, name in ((before, other), (before, part), (now, part))
  )
  return (had - lacked) & has


def some(names: Iterable[str], most: int = 3) -> str:
  """The first names, fit to be printed, and '...' for more."""
  names = list(names)
  shown = [n.encode('utf-8', 'backslashreplace').decode() for n in names[:most]]
  return ', '.join([*shown, '...'] if len(names) > most else shown)


def described(part: Part, origin: str) -> str:
  """'2,934 examples of train: photos', for a report."""
  return f'{part.num_examples:,} examples of {part.split}: {origin}'


def _names(data: RunData) -> set[str] | None:
  if data.train.names is None or data.evaluation.names is None:
    return None
  return {*data.train.names, *data.evaluation.names}


def _described(data: RunData) -> str:
  sizes = (f'{p.split}: {p.num_examples:,}' for p in (data.train, data.evaluation))
  return f'{data.origin} ({", ".join(sizes)})'


def _digest(names: Iterable[str]) -> str:
  text = '\0'.join(sorted(names))
  return hashlib.blake2b(
    text.encode('utf-8', 'surrogateescape'), digest_size=16
  ).hexdigest()

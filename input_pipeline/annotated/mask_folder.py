"""A folder of pictures with a mask each, PNG files of the same stem."""

import concurrent.futures
import functools
import os
import posixpath
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from input_pipeline import folder_layout
from input_pipeline.annotated import annotations, mask_files, picture_index
from input_pipeline.annotated.annotations import Fault
from input_pipeline.annotated.picture_split import chosen
from input_pipeline.catalogue import UNCOUNTED
from input_pipeline.errors import DataError
from input_pipeline.folder_split import Split
from input_pipeline.source import Source

FOLDERS = ('masks', 'labels', 'annotations', 'SegmentationClass', 'mask', 'gt')
_ENDS = ('', '_mask', '_label', '_labels', '-mask')  # of a mask's stem
_LOOKED_AT = 5  # masks that are read where a label map says what they hold


class Masked(NamedTuple):
  """A picture and its mask, paths relative to the folder; part as of `Picture`."""

  name: str
  mask: str
  part: str = ''


class Masks(NamedTuple):
  """All that a folder has; the notes are lines on the label map."""

  pictures: tuple[Masked, ...]
  label_map: mask_files.LabelMap
  faults: tuple[Fault, ...]
  notes: tuple[str, ...] = ()


def open_masks(
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
  """Opens `data_dir`; the arguments are those of `box_folder.open_boxes`.

  A mask is a PNG of the picture's stem in a folder `FOLDERS` beside that of the
  pictures, or `NAME_mask.png` beside the picture. Its values are ids, of a label map
  (classes.txt, labels.csv, labels.json) in the folder, or those that all masks hold.

  Raises:
    DataError: something is missing or cannot be read; the message says what to do.
  """
  parts = folder_layout.asked_parts(split)
  root = folder_layout.find_root(data_dir, dir_flag)
  found = read_masks(root, annotations_at)
  pictures, by_seed = chosen(
    found.pictures, parts, root, split_by or Split(), whole, only, split_flag
  )
  base = f'{root}{os.sep}'
  names = tuple(picture.name for picture in pictures)
  paths = tf.constant([os.fsencode(base + name) for name in names])
  masks = tf.constant([os.fsencode(base + picture.mask) for picture in pictures])

  def read(index):
    return {
      'encoded': tf.io.read_file(tf.gather(paths, index)),
      'segmentation': mask_files.decode(
        tf.io.read_file(tf.gather(masks, index)), found.label_map.table
      ),
    }

  def describe(index):
    return (base + names[index]).encode('utf-8', 'backslashreplace').decode()

  return Source(
    name='masks',
    marks=('segmentation',),
    split='+'.join(parts),
    num_examples=len(names),
    num_classes=len(found.label_map.class_names),
    class_names=found.label_map.class_names,
    describe=describe,
    read=read,
    origin=os.path.realpath(root),
    names=names,
    by_seed=by_seed,
    notes=(*found.notes, *annotations.notes(found.faults)),
  )


def read_masks(root: str | os.PathLike, annotations_at: str = '') -> Masks:
  """All pictures of a folder with their masks, of all its parts; read once.

  Sizes are compared by the heads of the files. The masks themselves are read only where
  no label map says what they hold.

  Raises:
    DataError: there are no masks, or one cannot be read.
  """
  index = picture_index.Index(root)
  maps = [index.path(name) for name in index.files if _is_map(name)]
  state = tuple((path, os.stat(path).st_mtime_ns) for path in maps)
  return _read(index.root, annotations_at, (state, tuple(index.files)))


def _is_map(name):
  return name in mask_files.MAPS or (
    posixpath.basename(name) in mask_files.MAPS and name.count('/') == 1
  )


@functools.lru_cache(maxsize=2)
def _read(root, annotations_at, state):
  """`state` is what tells that files have changed since."""
  del state
  index = picture_index.Index(root)
  pairs, faults = _pairs(index, annotations_at)
  if not pairs:
    raise DataError(
      f'no masks found in {root}: put PNG files of the names of the pictures into '
      f'masks/ beside images/, or say where: {annotations.FIELD}=FOLDER'
    )
  with concurrent.futures.ThreadPoolExecutor() as pool:
    same = list(pool.map(lambda pair: _same_size(index, pair), pairs))
  faults += [
    Fault(pair.mask, 'other size', detail)
    for pair, detail in zip(pairs, same, strict=True)
    if detail
  ]
  pairs = [pair for pair, detail in zip(pairs, same, strict=True) if not detail]
  if not pairs:
    raise DataError(f'every mask in {root} has another size than its picture')
  label_map, notes, unread = _label_map(index, pairs)
  faults += [Fault(name, 'unreadable', reason) for name, reason in unread.items()]
  pairs = [pair for pair in pairs if pair.mask not in unread]
  return Masks(tuple(pairs), label_map, tuple(faults), notes)


def _pairs(index, annotations_at):
  """(pictures with masks, faults)."""
  pngs = {name for name in index.files if name.lower().endswith('.png')}
  given = annotations_at.strip('/').replace(os.sep, '/')
  if given:
    if os.path.isabs(annotations_at):
      given = os.path.relpath(annotations_at, index.root).replace(os.sep, '/')
    if not any(name.startswith(f'{given}/') for name in pngs):
      raise DataError(f'{annotations.FIELD}={annotations_at}: no PNG files there')
    masks = {name for name in pngs if name.startswith(f'{given}/')}
  else:
    masks = {name for name in pngs if set(name.split('/')[:-1]) & set(FOLDERS)}
    masks |= {name for name in pngs if _of_stem(name)}
  by_stem: dict[str, list[str]] = {}
  for name in sorted(masks):
    stem = posixpath.splitext(posixpath.basename(name))[0]
    for end in _ENDS:
      if stem.endswith(end):
        by_stem.setdefault(stem.removesuffix(end), []).append(name)
  listed = picture_index.listed(index, ('ImageSets/Segmentation', ''))
  pairs, faults, used = [], [], set()
  for name in index.pictures:
    if name in masks:
      continue
    stem = posixpath.splitext(posixpath.basename(name))[0]
    mask = _nearest(name, by_stem.get(stem, []))
    if mask is None:
      faults.append(Fault(name, 'no mask'))
      continue
    used.add(mask)
    part = listed.get(stem, '') if listed else picture_index.folder_part(name)
    if listed and not part:
      faults.append(Fault(name, 'in no list'))
      continue
    pairs.append(Masked(name, mask, part))
  faults += [Fault(name, 'no photo') for name in sorted(masks - used)]
  return pairs, faults


def _of_stem(name):
  stem = posixpath.splitext(posixpath.basename(name))[0]
  return any(stem.endswith(end) for end in _ENDS[1:])


def _nearest(picture, masks):
  """The mask whose folders are most like the picture's."""
  folders = posixpath.dirname(picture).split('/')

  def shared(mask):
    return sum(folder in folders for folder in posixpath.dirname(mask).split('/'))

  return max(masks, key=shared, default=None)


def _same_size(index, pair) -> str:
  """What differs; '' for nothing, or for a file that only reading will tell of."""
  try:
    height, width = picture_index.sides(index.path(pair.name))
    rows, columns = picture_index.sides(index.path(pair.mask))
  except DataError:
    return ''
  if (height, width) == (rows, columns):
    return ''
  return f'{rows} x {columns} pixels, {pair.name} has {height} x {width}'


def _label_map(index, pairs):
  """(label map, notes, mask -> why it cannot be read)."""

  def ids_or_reason(pair):
    try:
      return ids_in(index.path(pair.mask))
    except DataError as error:
      return str(error)

  maps = sorted(
    filter(_is_map, index.files),
    key=lambda n: (n.count('/'), mask_files.MAPS.index(n.rpartition('/')[2])),
  )
  with concurrent.futures.ThreadPoolExecutor() as pool:
    # With a map a few are enough: do masks of this kind hold ids?
    read = list(pool.map(ids_or_reason, pairs[:_LOOKED_AT] if maps else pairs))
  unread = {
    pair.mask: ids
    for pair, ids in zip(pairs, read, strict=False)
    if isinstance(ids, str)
  }
  if len(unread) == len(read):
    raise DataError(next(iter(unread.values())))
  if maps:
    return mask_files.read_map(index.path(maps[0])), (), {}
  held = {
    index.path(pair.mask): set(ids.tolist())
    for pair, ids in zip(pairs, read, strict=True)
    if pair.mask not in unread
  }
  black_and_white = {0, UNCOUNTED}
  if not set().union(*held.values()) <= black_and_white:
    # White, of one bit a pixel, is 255 only where all masks are black and white.
    for path, ids in held.items():
      if UNCOUNTED in ids and ids <= black_and_white:
        held[path] = set(ids_in(path, white=1).tolist())
  found = sorted(set().union(*held.values()))
  if found == [0, UNCOUNTED]:
    note = (
      'the masks hold 0 and 255 alone: 255 is taken for a class; a classes.txt with a '
      'name a line says otherwise'
    )
  else:
    found = [identity for identity in found if identity != UNCOUNTED]
    note = (
      f'no label map (classes.txt, labels.csv): the {len(found)} ids that the masks '
      'hold are the classes'
    )
  names = {identity: str(identity) for identity in found}
  return mask_files.label_map(names, f'the masks in {index.root}'), (note,), unread


def ids_in(path: str, white: int = 255) -> np.ndarray:
  """The ids that a mask holds, sorted; `white` as of `mask_files.pixels`."""
  values = mask_files.read_pixels(path, white)
  return np.flatnonzero(np.bincount(values.ravel(), minlength=256))

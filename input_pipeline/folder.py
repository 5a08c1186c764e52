"""A folder of class folders of images, with a split of its own or made by a seed."""

import hashlib
import pathlib

import tensorflow as tf

from input_pipeline.errors import DataError, nearest
from input_pipeline.photo_files import EXTENSIONS, FOREIGN
from input_pipeline.source import Source

# Split -> folders it may stand in, the first that exists.
SPLIT_FOLDERS = {
  'train': ('train',),
  'val': ('val', 'validation'),
  'validation': ('val', 'validation'),
  'test': ('test',),
}


def open_folder(split: str, data_dir: str, *, seed: int, holdout: float) -> Source:
  """Opens `data_dir`.

  Either `train/<class>/*.jpg` with `val/` (or `validation/`) and perhaps `test/`
  beside it, or class folders directly, from which every class gives the share
  `holdout` to validation. Which images those are depends on the seed and on their
  names only, so that adding images moves few others. Class names are sorted; hidden
  files and files that are no images are passed over; EXIF orientation is ignored.

  Raises:
    DataError: something is missing or empty; the message names it.
  """
  if split not in SPLIT_FOLDERS:
    raise DataError(
      f'unknown split {split!r} of a folder: {nearest(split, SPLIT_FOLDERS)}'
    )
  if not data_dir:
    raise DataError('the data set is a folder, but no data_dir says which')
  root = pathlib.Path(data_dir).expanduser()
  if not root.is_dir():
    raise DataError(f'no folder {root}; data_dir must hold train/ or class folders')

  base = root
  if (root / 'train').is_dir():
    classes = _class_folders(root / 'train')
    base = _split_folder(root, split)
    _check_same_classes(root / 'train', classes, base)
    files = _images(base, classes)
  else:
    if split == 'test':
      raise DataError(f'no train/ and test/ in {root}; it is split into train and val')
    classes = _class_folders(root)
    files = _held_out(_images(root, classes), split == 'train', root, seed, holdout)

  names = [f'{folder}/{name}' for folder, group in files.items() for name in group]
  labels = [label for label, group in enumerate(files.values()) for _ in group]
  paths = tf.constant([str(base / name) for name in names])
  label_of = tf.constant(labels, tf.int32)

  def read(index):
    return {
      'encoded': tf.io.read_file(tf.gather(paths, index)),
      'label': tf.gather(label_of, index),
    }

  return Source(
    name='folder',
    split=split,
    num_examples=len(names),
    num_classes=len(classes),
    class_names=tuple(classes),
    describe=lambda index: str(base / names[index]),
    read=read,
  )


def _visible_folders(folder):
  return sorted(
    entry.name
    for entry in folder.iterdir()
    if entry.is_dir() and not entry.name.startswith('.')
  )


def _class_folders(folder):
  classes = _visible_folders(folder)
  if not classes:
    raise DataError(f'no class folders in {folder}; put each class into its own folder')
  if len(classes) == 1:
    raise DataError(f'only one class folder in {folder}: {classes[0]}; two are needed')
  return classes


def _split_folder(root, split):
  for name in SPLIT_FOLDERS[split]:
    if (root / name).is_dir():
      return root / name
  present = ', '.join(f'{name}/' for name in _visible_folders(root))
  raise DataError(
    f'no {SPLIT_FOLDERS[split][0]}/ in {root} (there is {present}); make one, or set '
    f'data_dir to {root / "train"} to have it split by the seed'
  )


def _check_same_classes(train, classes, part):
  found = set(_visible_folders(part))
  missing = sorted(set(classes) - found)
  extra = sorted(found - set(classes))
  if missing or extra:
    differences = [f'{part} lacks {", ".join(missing)}'] if missing else []
    differences += [f'{train} lacks {", ".join(extra)}'] if extra else []
    raise DataError(f'the class folders differ: {"; ".join(differences)}')


def _images(folder, classes):
  """Class -> sorted file names."""
  images = {}
  for name in classes:
    entries = sorted(
      entry.name
      for entry in (folder / name).iterdir()
      if not entry.name.startswith('.')
    )
    foreign = [entry for entry in entries if entry.lower().endswith(FOREIGN)]
    if foreign:
      raise DataError(
        f'{len(foreign)} images such as {folder / name / foreign[0]} cannot be decoded;'
        ' convert them to PNG or JPEG, or move them away'
      )
    images[name] = [entry for entry in entries if entry.lower().endswith(EXTENSIONS)]
  empty = [str(folder / name) for name, group in images.items() if not group]
  if empty:
    kinds, more = ' '.join(EXTENSIONS), f' and {len(empty) - 5} more' * (len(empty) > 5)
    raise DataError(
      f'no images ({kinds}) in class folder {", ".join(empty[:5])}{more}; add some or '
      'remove it'
    )
  return images


def _held_out(images, train, root, seed, holdout):
  """The training or the validation part of every class."""
  if not 0 < holdout < 1:
    raise DataError(f'holdout={holdout!r} must lie between 0 and 1')

  def order(name):
    return hashlib.sha256(f'{seed}/{name}'.encode()).digest()

  parts = {}
  for label, names in images.items():
    if len(names) < 2:
      raise DataError(
        f'only one image in class folder {root / label}; a split needs at least two'
      )
    count = min(max(1, round(holdout * len(names))), len(names) - 1)
    shuffled = sorted(names, key=order)
    parts[label] = sorted(shuffled[count:] if train else shuffled[:count])
  return parts

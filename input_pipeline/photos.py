"""Photos from disk to what a network is given, as evaluation does it, no TensorFlow.

ops = parse_ops('resize_small(256)|central_crop(224)|normalize()', 'eval')
for path in find_photos(['holiday/', 'cat.jpg']):
  image = prepare(read_photo(path), ops)  # float32 (224, 224, 3)
"""

import functools
import os
import pathlib
from collections.abc import Callable, Iterable

import numpy as np

from input_pipeline import array_ops, photo_files, photo_reader, retries
from input_pipeline.errors import DataError, nearest
from input_pipeline.op_string import Op


def find_photos(
  paths: Iterable[str | os.PathLike], *, tell: Callable[[str], None] = print
) -> list[pathlib.Path]:
  """Photos by name, and those in folders and the folders below them.

  A folder's photos are sorted; hidden files and folders and links to folders are left
  out of it. Files of kinds that are not read are passed over, wherever they are named.
  A photo that is named twice comes once.

  Args:
    paths: files and folders.
    tell: gets a line about what is passed over, if anything is.

  Raises:
    DataError: a path does not exist, a folder holds no photo, or nothing was named that
      can be read.
  """
  photos: dict[pathlib.Path, None] = {}
  others = []
  for path in map(pathlib.Path, paths):
    path = path.expanduser()
    if not path.exists():
      raise DataError(_missing(path))
    found, passed = photo_files.sort_out(
      _files_below(path) if path.is_dir() else [path]
    )
    others += passed
    if path.is_dir() and not found:
      raise DataError(_without_photos(path, passed))
    photos.update(dict.fromkeys(found))
  if others and not photos:
    raise DataError(
      f'{path} is not taken for a photo; {photo_files.passed_over(others)}'
    )
  if not photos:
    raise DataError('no photos were named; give files or folders')
  if others:
    tell(photo_files.passed_over(others))
  return list(photos)


def _files_below(folder):
  files = []
  for place, folders, names in os.walk(folder):
    folders[:] = [name for name in folders if not name.startswith('.')]
    files += [pathlib.Path(place, name) for name in names if not name.startswith('.')]
  return sorted(files)


def _without_photos(folder, others):
  known = ' '.join(photo_files.endings())
  message = f'no photos ({known}) in {folder} or the folders below it'
  return f'{message}; {photo_files.passed_over(others)}' if others else message


def _missing(path):
  message = f'no file or folder {path}'
  if path.parent.is_dir():
    near = nearest(path.name, (entry.name for entry in path.parent.iterdir()))
    if near.startswith('did you mean'):
      message += f': {near}'
  return message


def read_photo(path: str | os.PathLike) -> np.ndarray:
  """A photo to uint8 (height, width, 3), as `photo_reader.pixels` gives it.

  Raises:
    DataError: the file cannot be read or is not a whole image; the message names it.
  """
  return _read(path, photo_reader.pixels)


def read_small(path: str | os.PathLike, side: int) -> np.ndarray:
  """A photo for people, uint8 (height, width, 3), of at least `side` pixels if it has.

  A large JPEG is made smaller while it is decoded, which is several times faster and
  gives other pixels than `read_photo`: not for a network.

  Raises:
    DataError: as `read_photo`.
  """
  return _read(path, functools.partial(photo_reader.pixels, side=side))


def _read(path, pixels):
  try:
    return pixels(retries.read(pathlib.Path(path).read_bytes, path))
  except (OSError, DataError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise DataError(f'{path} cannot be read: {reason}') from error


def prepare(image: np.ndarray, ops: tuple[Op, ...]) -> np.ndarray:
  """Applies the ops of evaluation to one image.

  Args:
    image: (height, width, 3), uint8 or float32 on the scale 0..255.
    ops: `op_string.parse_ops(string, 'eval')`.

  Returns:
    float32 (H, W, 3).

  Raises:
    DataError: the image is smaller than a central_crop.
  """
  for op in ops:
    image = array_ops.OPS[op.name](image, **op.args)
  return np.ascontiguousarray(image, np.float32)


def seen_window(
  shape: tuple[int, ...], ops: tuple[Op, ...]
) -> tuple[float, float, float, float]:
  """The part of an image that is left of it after the ops.

  Args:
    shape: (height, width) of the image, more may follow.
    ops: `op_string.parse_ops(string, 'eval')`.

  Returns:
    (y, x, height, width) in pixels of the image, fractions where it was resized
    before it was cropped.

  Raises:
    DataError: the image is smaller than a central_crop.
  """
  size = tuple(shape[:2])  # after the ops so far
  part = np.array([0.0, 0.0, *size])
  for op in ops:
    if op.name == 'resize':
      size = (op.args['size'], op.args['size'])
    elif op.name == 'resize_small':
      size = array_ops.small_shape(size, op.args['size'])
    elif op.name in array_ops.WINDOWS:
      window = array_ops.WINDOWS[op.name](size, **op.args)
      pixel = part[2:] / size
      part = np.concatenate([part[:2] + window[:2] * pixel, window[2:] * pixel])
      size = window[2:]
  return tuple(part.tolist())

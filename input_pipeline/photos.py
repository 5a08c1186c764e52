"""Photos from disk to what a network is given, as evaluation does it, no TensorFlow.

ops = parse_ops('resize_small(256)|central_crop(224)|normalize()', 'eval')
for path in find_photos(['holiday/', 'cat.jpg']):
  image = prepare(read_photo(path), ops)  # float32 (224, 224, 3)
"""

import os
import pathlib
from collections.abc import Iterable

import numpy as np
from PIL import Image

from input_pipeline import array_ops
from input_pipeline.errors import DataError, nearest
from input_pipeline.op_string import Op
from input_pipeline.photo_files import EXTENSIONS, FOREIGN

# Those that evaluation's decoder knows too.
_FORMATS = ('JPEG', 'PNG', 'GIF', 'BMP', 'WEBP')
_DEEP_MODES = ('I', 'I;16', 'I;16B', 'I;16L', 'I;16N')


def find_photos(paths: Iterable[str | os.PathLike]) -> list[pathlib.Path]:
  """Photos by name, and those in folders and the folders below them.

  A folder's photos are sorted; hidden files and folders, links to folders and files
  that are no images are passed over in it. A photo that is named twice comes once.

  Raises:
    DataError: a path does not exist, a folder holds no photo, a file is not of a kind
      that can be read, or nothing was named.
  """
  photos: dict[pathlib.Path, None] = {}
  for path in map(pathlib.Path, paths):
    path = path.expanduser()
    if path.is_dir():
      found = _photos_below(path)
    elif path.exists():
      _check_kind(path)
      found = [path]
    else:
      raise DataError(_missing(path))
    photos.update(dict.fromkeys(found))
  if not photos:
    raise DataError('no photos were named; give files or folders')
  return list(photos)


def _photos_below(folder):
  photos = []
  for place, folders, names in os.walk(folder):
    folders[:] = [name for name in folders if not name.startswith('.')]
    files = [pathlib.Path(place, name) for name in names if not name.startswith('.')]
    for path in files:
      if path.suffix.lower() in FOREIGN:
        _check_kind(path)
    photos += [path for path in files if path.suffix.lower() in EXTENSIONS]
  if not photos:
    raise DataError(
      f'no photos ({" ".join(EXTENSIONS)}) in {folder} or the folders below it'
    )
  return sorted(photos)


def _check_kind(path):
  kind = path.suffix.lower()
  if kind in FOREIGN:
    raise DataError(
      f'{path} is of a kind that cannot be decoded ({kind}); '
      'convert it to PNG or JPEG, or move it away'
    )
  if kind not in EXTENSIONS:
    raise DataError(f'{path} does not end like a photo ({" ".join(EXTENSIONS)})')


def _missing(path):
  message = f'no file or folder {path}'
  if path.parent.is_dir():
    near = nearest(path.name, (entry.name for entry in path.parent.iterdir()))
    if near.startswith('did you mean'):
      message += f': {near}'
  return message


def read_photo(path: str | os.PathLike) -> np.ndarray:
  """JPEG, PNG, GIF (first frame), BMP or WebP to uint8 (height, width, 3).

  Grey images get three equal channels, of 16 bits the upper eight are kept, alpha is
  dropped (what was transparent shows the colours below it), and the EXIF orientation
  is ignored: in all of this evaluation does the same.

  Raises:
    DataError: the file cannot be read or is not a whole image; the message names it.
  """
  try:
    with Image.open(path, formats=_FORMATS) as image:
      if image.mode in _DEEP_MODES:
        deep = np.asarray(image).astype(np.int32)
        return np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=-1)
      return np.asarray(image.convert('RGB'))
  # Decoders raise whatever a broken file leads them to: OSError, SyntaxError, EOFError,
  # struct.error, IndexError and more.
  except Exception as error:
    raise DataError(f'{path} cannot be read: {_reason(error)}') from error


def _reason(error):
  if isinstance(error, Image.UnidentifiedImageError):
    return f'it is not a {", ".join(_FORMATS[:-1])} or {_FORMATS[-1]} image'
  text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
  return ' '.join(text.split())


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

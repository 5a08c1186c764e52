"""Encoded photos to pixels by Pillow: what every reader of photos gives.

Prediction reads all photos with it. Training and evaluation decode JPEG and PNG in
TensorFlow, which gives the same pixels (the tests hold one against the other), and come
here for all other formats, one photo at a time: most of Pillow's decoders hold Python's
lock.
"""

import functools
import importlib
import io
import re
import warnings
from typing import BinaryIO

import numpy as np
from PIL import Image

from input_pipeline import exif, photo_files
from input_pipeline.errors import DataError

_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'


def largest() -> int:
  """The pixels of the largest photo that is read; a larger one is unreadable.

  It is Pillow's own limit, 178,956,970 pixels (half a gibibyte decoded), and moves with
  `PIL.Image.MAX_IMAGE_PIXELS`. Below it a photo is decoded whole: a JPEG that is made
  smaller while it is decoded has other pixels.
  """
  limit = Image.MAX_IMAGE_PIXELS
  return np.iinfo(np.int64).max if limit is None else int(2 * limit)


def pixels(data: bytes, *, side: int | None = None) -> np.ndarray:
  """An encoded photo to uint8 (height, width, 3), upright by its EXIF orientation.

  Grey images get three equal channels; of 16 bits a channel the upper eight are kept.
  Transparency is dropped, in palettes too: what was transparent shows the colours that
  are stored below it, as with torchvision and timm. Of an animation it is the first
  frame.

  Args:
    data: the file.
    side: let a JPEG be made smaller while it is decoded, to no less than this, px; only
      for people, since the pixels are others.

  Raises:
    DataError: it is not a whole image, of no format that is read here, or too large;
      the message does not say which photo it is.
  """
  # Decoders raise whatever a broken file leads them to: OSError, SyntaxError, EOFError,
  # struct.error, IndexError and more.
  try:
    with opened(data) as image:
      if side is not None:
        image.draft('RGB', (side, side))  # of formats other than JPEG it does nothing
      return _upright(data, image)
  except Exception as error:
    raise DataError(reason(error)) from error


def opened(data: bytes | BinaryIO) -> Image.Image:
  """An encoded photo, or its open file, as Pillow's image; only the header is read.

  Raises:
    Exception: whatever Pillow's decoders raise of what is no photo.
  """
  _silence()
  file = io.BytesIO(data) if isinstance(data, bytes) else data
  return Image.open(file, formats=_formats())


def orientation(data: bytes, image: Image.Image) -> int:
  """What EXIF says, 1 to 8.

  Args:
    data: the file, or its first `exif.HEAD` bytes.
    image: of that file.
  """
  if image.format in ('JPEG', 'MPO', 'PNG'):
    return exif.orientation(data)  # where the graph of training looks, too
  block = image.info.get('exif') or b''
  return exif.of_block(block.removeprefix(b'Exif\0\0'))


def _upright(data, image):
  turn = orientation(data, image)
  if image.format == 'PNG':
    check_png(data)
  image.load()  # which turns a TIFF
  if image.mode.startswith('I'):
    deep = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
    flat = np.repeat(deep.astype(np.uint8)[..., None], 3, axis=-1)
  else:
    image.info.pop('transparency', None)
    # Of a photo that is RGB already, Pillow would make a copy: a third of the time that
    # decoding takes.
    flat = np.asarray(image if image.mode == 'RGB' else image.convert('RGB'))
  return exif.upright(flat, turn)


def check_png(data):
  """Raises where checksums are wrong or the end is missing: Pillow lets that pass."""
  with Image.open(io.BytesIO(data), formats=('PNG',)) as image:
    image.verify()
  if _PNG_END not in data:
    raise DataError('image file is truncated')


@functools.cache
def _formats():
  """What Pillow may take a file for; loads its plugins."""
  for name in photo_files.formats():
    if name in photo_files.PLUGINS:
      module, register, _ = photo_files.PLUGINS[name]
      getattr(importlib.import_module(module), register)()
  return photo_files.formats()


def _silence():
  """Pillow warns of what it can live with: odd tags, large images, palettes.

  For the whole process: photos are read by many threads, and what Python changes for a
  while it changes for all of them.
  """
  quiet = ('ignore', None, Warning, re.compile(r'PIL\.'), 0)
  if quiet not in warnings.filters:
    warnings.filterwarnings('ignore', module=r'PIL\.')


def reason(error: Exception) -> str:
  """Why a decoder refused a photo, in words for a person."""
  if isinstance(error, DataError):
    return str(error)
  if isinstance(error, Image.UnidentifiedImageError):
    *names, last = photo_files.formats()
    return f'it is not a {", ".join(names)} or {last} image'
  if isinstance(error, Image.DecompressionBombError):
    return f'it has more than {largest():,} pixels, which is the most that is read'
  text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
  return ' '.join(text.split())

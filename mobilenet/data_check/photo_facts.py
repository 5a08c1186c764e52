"""What is known of one photo: its file, its header and its pixels."""

import dataclasses
import hashlib
import os
import stat

import numpy as np

from input_pipeline import DataError, exif, photo_reader

SIGHT = 256  # px; facts of pixels are those of a longer side below twice this
HASH_SIDE = 16
SKETCH_SIDE = 16
GREY = 4.0  # of 255: up to this mean difference between channels a photo is grey
_MAKE, _MODEL = 0x010F, 0x0110  # EXIF's tags
_DEEP = ('I', 'I;16', 'I;16B', 'I;16L', 'I;16N', 'F')


@dataclasses.dataclass(frozen=True)
class Photo:
  """Facts of one photo; those of its pixels are None where it cannot be read.

  name, part, class_name: see `listing.File`.
  bytes: size of the file; None where there is none, as at the end of a broken link.
  content: BLAKE2b of the file, hexadecimal.
  problem: why it cannot be read; None if it can.
  width, height: px, as stored: before EXIF turns it.
  mode: Pillow's name ('RGB', 'L', 'CMYK', 'P', 'I;16').
  bits: per channel.
  format: Pillow's name, by the content.
  orientation: EXIF's, 1 to 8.
  camera: EXIF's maker and model, '' if it says nothing.
  frames: more than 1 in an animation.
  transparent: whether there is an alpha channel or a transparent colour.
  brightness, contrast: mean and standard deviation of the grey values, 0 to 255.
  colour: mean difference between the largest and the smallest channel, 0 to 255.
  sharpness: standard deviation of the Laplacian at a longer side of 256 to 511 px, or
    the photo's own if that is smaller.
  hash: a difference hash, uint8 (32,), 256 bits.
  sketch: the photo in 16 x 16 grey values, uint8 (16, 16).
  """

  name: str
  part: str
  class_name: str
  bytes: int | None = None
  content: str = ''
  problem: str | None = None
  width: int | None = None
  height: int | None = None
  mode: str | None = None
  bits: int | None = None
  format: str | None = None
  orientation: int = 1
  camera: str = ''
  frames: int = 1
  transparent: bool = False
  brightness: float | None = None
  contrast: float | None = None
  colour: float | None = None
  sharpness: float | None = None
  hash: np.ndarray | None = dataclasses.field(default=None, repr=False)
  sketch: np.ndarray | None = dataclasses.field(default=None, repr=False)

  @property
  def is_read(self) -> bool:
    return self.problem is None

  @property
  def is_grey(self) -> bool:
    return self.colour is not None and self.colour <= GREY


def read_file(path: str) -> bytes:
  """The content of a file.

  Raises:
    DataError: it is none or cannot be read; the message does not say which.
  """
  try:
    if not stat.S_ISREG(os.stat(path).st_mode):
      raise DataError('it is not a file')
    with open(path, 'rb') as file:
      return file.read()
  except FileNotFoundError as error:
    if os.path.islink(path):
      target = os.readlink(path).encode('utf-8', 'backslashreplace').decode()
      raise DataError(f'a broken link: there is no {target}') from error
    raise DataError('there is no such file') from error
  except OSError as error:
    raise DataError(error.strerror or str(error)) from error


def of_file(data: bytes) -> dict:
  """The facts of an encoded photo that need no pixels; two of what is no photo."""
  facts = {
    'bytes': len(data),
    'content': hashlib.blake2b(data, digest_size=16).hexdigest(),
  }
  try:
    image = photo_reader.opened(data)
  except Exception:  # decoders raise anything; the reader of photos says what is wrong
    return facts
  with image:
    # An MPO is a JPEG with further pictures behind the first, which are no animation.
    still = image.format in ('JPEG', 'MPO')
    return {
      **facts,
      'width': image.width,
      'height': image.height,
      'mode': image.mode,
      'bits': _bits(image, data),
      'format': 'JPEG' if still else image.format,
      'orientation': _orientation(image, data),
      'camera': _of_broken(_camera, image, ''),
      'frames': 1 if still else _of_broken(_frames, image, 1),
      'transparent': 'A' in image.mode or 'transparency' in image.info,
    }


def _of_broken(read, image, unknown):
  """What is read of an image; `unknown` where that part of the file is broken."""
  try:
    return read(image)
  except Exception:  # decoders raise anything, and the pixels may be whole
    return unknown


def _camera(image):
  tags = image.getexif()
  words = [str(tags.get(tag) or '').strip('\0 ') for tag in (_MAKE, _MODEL)]
  if words[0] and words[1].lower().startswith(words[0].lower()):
    words = words[1:]  # 'Canon', 'Canon EOS 5D'
  return ' '.join(filter(None, words))


def _frames(image):
  return getattr(image, 'n_frames', 1)


def _orientation(image, data):
  if image.format in ('JPEG', 'MPO', 'PNG'):
    return exif.orientation(data)
  return exif.of_block((image.info.get('exif') or b'').removeprefix(b'Exif\0\0'))


def _bits(image, data):
  if image.mode == '1':
    return 1
  if image.format == 'PNG':
    return data[24]  # of the header, also where Pillow reads fewer
  return 16 if image.mode in _DEEP else 8


def of_pixels(pixels: np.ndarray) -> dict:
  """The facts of decoded pixels, uint8 (height, width, 3), upright."""
  from PIL import Image

  image = Image.fromarray(pixels)
  # Whole pixels are averaged first: quick, and as good for what follows.
  factor = max(1, max(image.size) // SIGHT)
  image = image.reduce(factor) if factor > 1 else image
  grey = image.convert('L')
  values = np.asarray(grey, np.float32)
  red, green, blue = (np.asarray(channel) for channel in image.split())
  highest = np.maximum(np.maximum(red, green), blue)
  return {
    'brightness': float(values.mean()),
    'contrast': float(values.std()),
    'colour': float((highest - np.minimum(np.minimum(red, green), blue)).mean()),
    'sharpness': _sharpness(values),
    'hash': difference_hash(grey),
    'sketch': np.asarray(grey.resize((SKETCH_SIDE, SKETCH_SIDE), Image.Resampling.BOX)),
  }


def difference_hash(grey) -> np.ndarray:
  """uint8 (32,): whether each of 16 x 16 grey values is above its left neighbour.

  Re-encoding, resizing and a change of brightness leave it nearly as it is. Source:
  N. Krawetz, 'Kind of Like That' (2013); there with 8 x 8 values.

  Args:
    grey: a Pillow image of mode 'L'.
  """
  from PIL import Image

  small = grey.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS)
  values = np.asarray(small, np.int16)
  return np.packbits(values[:, 1:] > values[:, :-1])


def _sharpness(grey):
  if min(grey.shape) < 3:
    return 0.0
  middle = grey[1:-1, 1:-1]
  around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
  return float((around - 4 * middle).std())

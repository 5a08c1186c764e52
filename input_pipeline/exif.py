"""EXIF's orientation: how a stored photo is turned until it stands upright.

A camera stores what its sensor saw and says in tag 0x0112 how it was held (CIPA
DC-008). Browsers and phones turn a photo before they show it, and so do all our
readers.
"""

import numpy as np

# Orientation - 1 -> (transposed, rows reversed, columns reversed): done in this order,
# it makes the stored pixels upright.
TURNS = (
  (False, False, False),
  (False, False, True),
  (False, True, True),
  (False, True, False),
  (True, False, False),
  (True, False, True),
  (True, True, True),
  (True, True, False),
)
# EXIF is the first thing that cameras write; it is looked for in so many bytes.
HEAD = 8192
# In so many bytes, a beginning like this is asked for, of a JPEG or PNG that must be
# turned. Other files have it by chance; that is found out by `orientation`.
TURNED = (
  rb'(?s)\C*(Exif\x00\x00|eXIf)('
  rb'II\*\x00\C*\x12\x01\x03\x00\x01\x00\x00\x00[\x02-\x08]\x00|'
  rb'MM\x00\*\C*\x01\x12\x00\x03\x00\x00\x00\x01\x00[\x02-\x08])\C*'
)
PNG = b'\x89PNG\r\n\x1a\n'  # what such a file begins with
_EXIF = b'Exif\0\0'
_ENTRY = {'little': b'\x12\1\3\0\1\0\0\0', 'big': b'\1\x12\0\3\0\0\0\1'}  # one short


def orientation(data: bytes) -> int:
  """What the EXIF of a JPEG or PNG says, 1 to 8; 1 (upright) where it says nothing.

  It is looked for in the first `HEAD` bytes: in the segments and comments at the
  beginning of a JPEG, and ahead of the pixels of a PNG, as browsers do.

  Args:
    data: a file, or its beginning.
  """
  data = data[:HEAD]
  if data.startswith(b'\xff\xd8'):
    return of_block(_jpeg_block(data))
  if data.startswith(PNG):
    return of_block(_png_block(data))
  return 1


def of_block(block: bytes) -> int:
  """What an EXIF block says: a TIFF header and its tags."""
  order = {b'II*\0': 'little', b'MM\0*': 'big'}.get(block[:4])
  if order is None:
    return 1
  start = int.from_bytes(block[4:8], order)
  count = int.from_bytes(block[start : start + 2], order)
  for place in range(start + 2, min(start + 2 + 12 * count, len(block)), 12):
    if block[place : place + 8] == _ENTRY[order]:
      value = int.from_bytes(block[place + 8 : place + 10], order)
      return value if 1 <= value <= len(TURNS) else 1
  return 1


def _jpeg_block(data):
  place = 2
  while place + 4 <= len(data) and data[place] == 0xFF:
    marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
    if marker == 0xE1 and data.startswith(_EXIF, place + 4):
      return data[place + 4 + len(_EXIF) : place + 2 + length]
    if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
      break
    place += 2 + length
  return b''


def _png_block(data):
  place = len(PNG)
  while place + 8 <= len(data):
    length, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
    if kind == b'eXIf':
      return data[place + 8 : place + 8 + length]
    if kind == b'IDAT':
      break
    place += 12 + length
  return b''


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
  """The stored pixels (height, width, 3) as they are to be seen."""
  transposed, rows, columns = TURNS[orientation - 1]
  if transposed:
    image = image.transpose(1, 0, 2)
  return np.ascontiguousarray(image[:: -1 if rows else 1, :: -1 if columns else 1])

"""Where photos say that they were taken: the GPS block of their EXIF (CIPA DC-008)."""

import concurrent.futures
import os
from collections.abc import Sequence

from input_pipeline import photo_reader

_BLOCK = 0x8825
# Tags of the block, for each coordinate: the letter; degrees, minutes, seconds. Which
# letters there are, the second for what is below zero; the largest number of degrees.
_LATITUDE, _LONGITUDE = (1, 2, 'NS', 90), (3, 4, 'EW', 180)


def of_files(paths: Sequence[str]) -> list[tuple[float, float] | None]:
  """`of_file` of many, read by several threads."""
  with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
    return list(pool.map(of_file, paths))


def of_file(path: str | os.PathLike) -> tuple[float, float] | None:
  """Latitude and longitude in degrees; None where a photo does not say, or nonsense.

  A file that cannot be read says nothing; whoever decodes it will tell.
  """
  try:
    with open(path, 'rb') as file, photo_reader.opened(file) as image:
      block = image.getexif().get_ifd(_BLOCK)
    own = tuple(_degrees(block, *tags) for tags in (_LATITUDE, _LONGITUDE))
  except Exception:  # decoders raise whatever a broken file leads them to
    return None
  return None if None in own else own


def _degrees(block, sign, parts, letters, largest) -> float | None:
  degrees, minutes, seconds = (*map(float, block[parts]), 0.0, 0.0)[:3]
  value = degrees + minutes / 60 + seconds / 3600
  letter = block[sign]
  letter = letter.decode() if isinstance(letter, bytes) else letter
  letter = letter.strip('\0 ').upper()
  # A camera without a fix may write 0/0, which is no number and fails this as well.
  if letter not in (*letters,) or not 0 <= value <= largest:
    return None
  return -value if letter == letters[1] else value

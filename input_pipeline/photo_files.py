"""Which files are taken for photos, by the ends of their names, and what reads them."""

import collections
import functools
import importlib.util
import os
from collections.abc import Iterable

from PIL import features

# Ending -> Pillow's name of the format; in files, the content decides. TensorFlow
# decodes JPEG and PNG alike in training, Pillow does everywhere else.
FORMATS = {
  '.jpg': 'JPEG',
  '.jpeg': 'JPEG',
  '.jpe': 'JPEG',
  '.jfif': 'JPEG',
  '.mpo': 'JPEG',
  '.png': 'PNG',
  '.apng': 'PNG',
  '.gif': 'GIF',
  '.bmp': 'BMP',
  '.dib': 'DIB',
  '.webp': 'WEBP',
  '.tif': 'TIFF',
  '.tiff': 'TIFF',
  '.pbm': 'PPM',
  '.pgm': 'PPM',
  '.ppm': 'PPM',
  '.pnm': 'PPM',
  '.avif': 'AVIF',
  '.jp2': 'JPEG2000',
  '.heic': 'HEIF',
  '.heif': 'HEIF',
}
# Format -> Pillow's name of the part that reads it, which a build can lack.
PARTS = {'WEBP': 'webp', 'AVIF': 'avif', 'JPEG2000': 'jpg_2000'}
# Format -> (module, its function that teaches Pillow the format, what installs it).
PLUGINS = {'HEIF': ('pillow_heif', 'register_heif_opener', 'pip install pillow-heif')}


@functools.cache
def formats() -> tuple[str, ...]:
  """Pillow's names of the formats that can be read here."""
  return tuple(
    name
    for name in dict.fromkeys(FORMATS.values())
    if (name not in PARTS or features.check(PARTS[name]))
    and (name not in PLUGINS or importlib.util.find_spec(PLUGINS[name][0]))
  )


def endings() -> tuple[str, ...]:
  """Of the files that can be read here."""
  return tuple(ending for ending, name in FORMATS.items() if name in formats())


def sort_out(
  paths: Iterable[str | os.PathLike],
) -> tuple[list, list]:
  """The photos that can be read among files, and the others, in their order."""
  photos, others, known = [], [], set(endings())
  for path in paths:
    (photos if _ending(path) in known else others).append(path)
  return photos, others


def passed_over(others: Iterable[str | os.PathLike]) -> str:
  """A line about what `sort_out` left out; '' if that is nothing.

  'passed over: 3 .heic (pip install pillow-heif), 2 .txt'
  """
  count = collections.Counter(map(_ending, others))
  most_first = sorted(count.items(), key=lambda kind: (-kind[1], kind[0]))
  kinds = [f'{count} {_kind(ending)}' for ending, count in most_first]
  return f'passed over: {", ".join(kinds)}' if kinds else ''


def _ending(path):
  return os.path.splitext(path)[1].lower()


def _kind(ending):
  name = FORMATS.get(ending)
  if name in PLUGINS:
    return f'{ending} ({PLUGINS[name][-1]})'
  if name:
    return f'{ending} (this Pillow cannot read them: pip install -U pillow)'
  return ending or 'without an ending'


@functools.cache
def tell_once(line: str) -> None:
  """Prints a line, the first time that it is given."""
  print(line)

"""Masks as PNG files: what their values stand for, and how they are read."""

import io
import json
import os
import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from input_pipeline import exif_ops, photo_reader
from input_pipeline.catalogue import UNCOUNTED
from input_pipeline.errors import DataError

MAPS = ('classes.txt', 'labels.csv', 'labels.json', 'classes.json')
MOST_CLASSES = 254  # 255 does not count, and 254 is what no map knows
UNKNOWN = 254
# Names of what does not count, in any capitalisation.
_IGNORED = ('ignore', 'void', 'ignored', 'unlabeled', 'unlabelled')
# Bits a channel and kind of a PNG whose bytes are the ids; at byte 24 of the file.
_GREY = b'\x08\x00'


class LabelMap(NamedTuple):
  """class_names: in the order of the classes. table: uint8 (256,), id -> class.

  255 of the table does not count, 254 is an id that is not in the map.
  """

  class_names: tuple[str, ...]
  table: np.ndarray


def label_map(names_by_id: dict[int, str], where: str) -> LabelMap:
  """Ids in their order become classes 0..K-1; ids called 'ignore' count for nothing.

  Args:
    names_by_id: of all that a mask may hold. 255 counts only if it has a name.
    where: the file, for messages.
  """
  table = np.full(256, UNKNOWN, np.uint8)
  table[UNCOUNTED] = UNCOUNTED
  class_names = []
  for identity in sorted(names_by_id):
    if not 0 <= identity <= 255:
      raise DataError(f'{where}: id {identity} is not one of 0..255, which masks hold')
    if names_by_id[identity].lower() in _IGNORED:
      table[identity] = UNCOUNTED
    else:
      table[identity] = len(class_names)
      class_names.append(names_by_id[identity])
  if len(class_names) < 2 or len(class_names) > MOST_CLASSES:
    raise DataError(
      f'{where} has {len(class_names)} classes: 2 to {MOST_CLASSES} are needed, the '
      'background is one of them'
    )
  return LabelMap(tuple(class_names), table)


def read_map(path: str | os.PathLike) -> LabelMap:
  """A label map: classes.txt (a name a line, from id 0), labels.csv (id,name) or JSON.

  JSON is {"0": "background", ...}, a list of names, or a list of {"id", "name"}.

  Raises:
    DataError: it is none of these; the message has the file and the line.
  """
  path = pathlib.Path(path)
  try:
    text = path.read_text(encoding='utf-8-sig')
  except (OSError, UnicodeDecodeError) as error:
    raise DataError(f'cannot read {path}: {error}') from error
  if path.suffix == '.txt':
    lines = [line.strip() for line in text.splitlines()]
    return label_map({n: line for n, line in enumerate(lines) if line}, str(path))
  if path.suffix == '.csv':
    return label_map(_of_csv(path, text), str(path))
  try:
    content = json.loads(text)
    if isinstance(content, dict):
      names = {int(identity): str(name) for identity, name in content.items()}
    elif content and isinstance(content[0], dict):
      names = {int(entry['id']): str(entry['name']) for entry in content}
    else:
      names = dict(enumerate(map(str, content)))
  except (ValueError, KeyError, TypeError, RecursionError) as error:
    raise DataError(
      f'{path} is no label map, such as {{"0": "background", "1": "road"}}: {error}'
    ) from error
  return label_map(names, str(path))


def _of_csv(path, text):
  names = {}
  for number, line in enumerate(text.splitlines(), 1):
    first, _, name = line.replace(';', ',').partition(',')
    if not line.strip() or (number == 1 and not first.strip().isdecimal()):
      continue  # empty, or the head of the table
    # A mask's ids have three digits at most; there are digits that are no numbers.
    if not first.strip().isdecimal() or len(first.strip()) > 9 or not name.strip():
      raise DataError(f'{path}, line {number}: "{line[:60]}" is not id,name')
    names[int(first)] = name.split(',')[0].strip().strip('"')
  return names


def white_of(table: np.ndarray) -> int:
  """The id of white in a PNG of one bit a pixel: 255 where that is a class, or else 1.

  Programs that draw in black and white write both kinds of PNG, 0 and 255 or one bit.
  """
  return 1 if table[255] in (UNCOUNTED, UNKNOWN) else 255


def pixels(data: bytes, white: int = 255) -> np.ndarray:
  """The ids of a mask, uint8 (height, width): grey values, or indexes of a palette.

  Args:
    data: the file.
    white: the id of white, of one bit a pixel.

  Raises:
    DataError: it is no PNG of ids from 0 to 255; the message does not say which file.
  """
  try:
    photo_reader.check_png(data)
    with Image.open(io.BytesIO(data), formats=('PNG',)) as image:
      image.load()
      mode, values = image.mode, np.asarray(image)
  except Exception as error:  # decoders raise whatever a broken file leads them to
    raise DataError(f'it is no whole PNG: {photo_reader.reason(error)}') from error
  if mode == '1':
    values = np.where(values, white, 0)
  if mode in ('RGB', 'RGBA', 'LA'):
    colours = values[..., : 1 if mode == 'LA' else 3]
    if (colours != colours[..., :1]).any():
      raise DataError(
        'it is in colours, and masks hold ids: grey values or indexes of a palette'
      )
    values = colours[..., 0]
  if values.size and values.max() > 255:
    raise DataError(f'it holds the id {values.max()}, and ids go from 0 to 255')
  return values.astype(np.uint8)


def read_pixels(path: str | os.PathLike, white: int = 255) -> np.ndarray:
  """`pixels` of a file; errors name it."""
  try:
    return pixels(pathlib.Path(path).read_bytes(), white)
  except OSError as error:
    raise DataError(f'cannot read {path}: {error.strerror or error}') from error
  except DataError as error:
    raise DataError(f'the mask {path} cannot be used: {error}') from error


def decode(encoded, table):
  """A mask's file to classes, uint8 (height, width), in a graph.

  Args:
    encoded: string.
    table: of a `LabelMap`.
  """
  white = white_of(table)
  grey = tf.strings.substr(encoded, 24, len(_GREY)) == _GREY

  def by_python():
    found = tf.numpy_function(
      lambda data: pixels(exif_ops.as_bytes(data), white),
      [encoded],
      tf.uint8,
      stateful=False,
    )
    return tf.ensure_shape(found, [None, None])

  ids = tf.cond(grey, lambda: tf.io.decode_png(encoded, channels=1)[..., 0], by_python)
  return tf.gather(tf.constant(table), tf.cast(ids, tf.int32))

"""Boxes of Pascal VOC's XML files, one a picture, as labelImg and CVAT write them.

Corners are taken as they are, in pixels. VOC itself counts from 1 and includes the last
pixel, its tools' successors do not, and no file says which it is. Taking 1 off would
make -1 of a box at the border; half a pixel is lost by not doing so. TFDS and
TensorFlow's Object Detection API read them in the same way.
"""

import posixpath
import xml.etree.ElementTree as tree

from input_pipeline.annotated import picture_index
from input_pipeline.annotated.annotations import (
  Annotations,
  Box,
  Fault,
  broken,
  make_picture,
)
from input_pipeline.annotated.frames import frames
from input_pipeline.annotated.picture_index import Index
from input_pipeline.errors import DataError

_CORNERS = ('ymin', 'xmin', 'ymax', 'xmax')
_LONGEST = 1_000_000  # px of a side; PNG and JPEG end well below


def find(files: list[str]) -> list[str]:
  """The XML files among files."""
  return [name for name in files if name.lower().endswith('.xml')]


def read(
  index: Index, files: list[str], class_names=None, go_on: bool = False
) -> Annotations:
  """Boxes of all the files; boxes that VOC calls difficult are like the others.

  A file belongs to the picture of its own stem, or else to the one that it names. Parts
  are those of the lists in ImageSets/Main (or beside the folders: train.txt, val.txt),
  or of the folders of the pictures.

  Args:
    index: of the pictures.
    files: XML files, relative to its root.
    class_names: in the order of the labels; None for the names in the files, sorted.
    go_on: make a fault of a file that is broken, and read the others.

  Raises:
    DataError: a file is no VOC annotation; the message names it.
  """
  found, faults, broken_ones = {}, [], set()
  for file in files:
    folder, base = posixpath.split(file)
    stem = posixpath.splitext(base)[0]
    folders = (folder, *(f'{posixpath.dirname(folder)}/{name}'.lstrip('/')
                         for name in ('images', 'JPEGImages')))  # fmt: skip
    objects = None
    with broken(file, faults, go_on):
      objects, named, size = _parse(index, file)
    if objects is None:
      broken_ones.add(index.of_stem(stem, folders))
      continue
    name = index.of_stem(stem, folders) or index.find(named or stem, folders)
    if name is None:
      faults.append(Fault(file, 'no picture', named or stem))
    elif name in found:
      faults.append(Fault(file, 'twice', name))
    else:
      found[name] = file, objects, size
  if class_names is None:
    class_names = sorted({name for _, own, _ in found.values() for name, _ in own})
  label_of = {name: label for label, name in enumerate(class_names)}
  frame_of = frames(
    index, {name: found[name][2] for name in sorted(found)}, faults, go_on
  )
  parts, pictures = picture_index.listed(index), []
  for name in frame_of:
    file, objects, _ = found[name]
    rows = [
      Box(
        *frame_of[name].shares(*corners),
        label_of.get(kind),
        said=f'{kind}: {", ".join(_CORNERS)} = {", ".join(f"{c:g}" for c in corners)}',
      )
      for kind, corners in objects
    ]
    stem = posixpath.splitext(posixpath.basename(name))[0]
    part = parts.get(stem, '') if parts else picture_index.folder_part(name)
    if parts and not part:
      faults.append(Fault(file, 'in no list', name))
      continue
    pictures.append(make_picture(name, file, rows, part, faults))
  faults += [
    Fault(name, 'no annotation')
    for name in index.beside(found)
    if name not in found and name not in broken_ones
  ]
  return Annotations('VOC', tuple(pictures), tuple(class_names), tuple(faults))


def _parse(index, file):
  """([(class, corners)], file name or None, (height, width) in pixels or None)."""
  path = index.path(file)
  try:
    root = tree.parse(path).getroot()
  except OSError as error:
    raise DataError(f'cannot read {path}: {error.strerror or error}') from error
  except (tree.ParseError, ValueError, LookupError) as error:  # of an odd encoding
    raise DataError(f'{path} is not XML: {error}') from error
  if root.tag != 'annotation':
    raise DataError(f'{path} is no VOC annotation: it holds <{root.tag}>')
  objects = []
  for entry in root.iter('object'):
    name, box = (entry.findtext('name') or '').strip(), entry.find('bndbox')
    if not name or box is None:
      raise DataError(f'{path}: an <object> lacks its <name> or <bndbox>')
    try:
      objects.append(
        (name, [float(box.findtext(corner) or 'x') for corner in _CORNERS])
      )
    except ValueError:
      raise DataError(
        f'{path}: a <bndbox> of {name} needs {", ".join(_CORNERS)} in pixels'
      ) from None
  try:
    size = tuple(
      float(root.findtext(f'size/{side}') or 0) for side in ('height', 'width')
    )
  except ValueError:
    size = (-1, -1)
  if not all(0 <= side < _LONGEST for side in size):
    raise DataError(f'{path}: <size> is not in pixels')
  size = tuple(map(int, size))
  return objects, root.findtext('filename'), size if all(size) else None

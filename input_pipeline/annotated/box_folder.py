"""A folder of pictures with boxes: COCO JSON, Pascal VOC XML or YOLO text."""

import collections
import functools
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from input_pipeline import folder_layout, marks, photo_files
from input_pipeline.annotated import (
  annotations,
  coco_json,
  picture_index,
  voc_xml,
  yolo_text,
)
from input_pipeline.annotated.picture_split import chosen
from input_pipeline.errors import DataError
from input_pipeline.folder_split import Split
from input_pipeline.source import Source

# Ends of the names of files that can hold annotations.
_READ = ('.json', '.xml', '.txt', '.yaml', '.names')
_ORDERS = ('classes.txt', 'classes.json')  # files that order the classes of COCO, too


def open_boxes(
  split: str,
  data_dir: str,
  *,
  annotations_at: str = '',
  split_by: Split | None = None,
  whole: bool = False,
  only: Sequence[str] | None = None,
  dir_flag: str = '--config.data.dir',
  split_flag: str = '--config.data.eval_split',
) -> Source:
  """Opens `data_dir`.

  Which pictures are for training is what the files' names, lists of pictures or folders
  say ('train' and 'val'), or else drawn by a seed.

  Args:
    split: 'train', 'val', 'test' by any name of theirs, several with + between, 'all'.
    data_dir: the folder with the pictures.
    annotations_at: a COCO file, or a folder below `data_dir` that holds annotations; ''
      looks for what is there: COCO's, then VOC's, then YOLO's.
    split_by: seed, holdout, group and fold where nothing says which part a picture is.
    whole: without parts, take everything, whatever the split.
    only: names of pictures to take, whatever their part.
    dir_flag, split_flag: by which folder and split are given, for messages.

  Raises:
    DataError: something is missing or cannot be read; the message says what to do.
  """
  parts = folder_layout.asked_parts(split)
  root = folder_layout.find_root(data_dir, dir_flag)
  found = read_boxes(root, annotations_at)
  pictures, by_seed = chosen(
    found.pictures, parts, root, split_by or Split(), whole, only, split_flag
  )
  if not any(len(picture.boxes) for picture in found.pictures):
    raise DataError(f'{root}: the {found.format} annotations hold no box')
  return _source(root, parts, found, pictures, by_seed)


def read_boxes(
  root: str | os.PathLike, annotations_at: str = '', go_on: bool = False
) -> annotations.Annotations:
  """All boxes of a folder, of all its parts; read once for all splits.

  With `go_on`, what is broken in the annotations is a fault, and the rest is read.

  Raises:
    DataError: there are no annotations, or a file is broken.
  """
  index = picture_index.Index(root)
  given = _given(index, annotations_at)
  read = [name for name in index.files if name.lower().endswith(_READ)]
  paths = [index.path(name) for name in read] + ([given] if given else [])
  changed = tuple((path, os.stat(path).st_mtime_ns) for path in paths)
  return _read(index.root, given, go_on, (changed, len(index.files)))


def format_of(root: str | os.PathLike) -> str:
  """'COCO', 'VOC' or 'YOLO' by what lies in a folder of pictures; '' for no boxes.

  A text beside a picture may be what is said of it: it counts if its lines are boxes.
  """
  index = picture_index.Index(root)
  names = {
    'COCO': lambda: coco_json.find(index, index.files),
    'VOC': lambda: [f for f in voc_xml.find(index.files) if index.has_stem(f)],
    'YOLO': lambda: yolo_text.of_boxes(index, yolo_text.find(index, index.files)),
  }
  return next((name for name, find in names.items() if index.pictures and find()), '')


def _given(index, annotations_at) -> str:
  """The path of what was given; '' for nothing."""
  if not annotations_at:
    return ''
  for path in (annotations_at, os.path.join(index.root, annotations_at)):
    path = os.path.expanduser(path)
    if os.path.exists(path):
      return os.path.abspath(path)
  raise DataError(
    f'{annotations.FIELD}={annotations_at}: no such file or folder, nor in {index.root}'
  )


@functools.lru_cache(maxsize=2)
def _read(root, given, go_on, state):
  """`state` is what tells that files have changed since."""
  del state
  index = picture_index.Index(root)
  if not index.pictures:
    raise DataError(f'no pictures ({" ".join(photo_files.endings())}) in {root}')
  if os.path.isfile(given) and given.lower().endswith('.json'):
    order = yolo_text.class_names_of(index, _ORDERS)
    return coco_json.read(index, [given], False, order, go_on)
  files = index.files
  if os.path.isfile(given):
    raise DataError(
      f'{annotations.FIELD}={given}: one file of boxes is a COCO file, '
      '.json; give the folder of other formats'
    )
  if given:
    below = os.path.relpath(os.path.realpath(given), os.path.realpath(root))
    below = '' if below == '.' else below.replace(os.sep, '/') + '/'
    files = [name for name in files if name.startswith(below)]
    if not files:
      raise DataError(
        f'{annotations.FIELD}={given}: no files there, or it is not below {root}'
      )
  if found := coco_json.find(index, files):
    order = yolo_text.class_names_of(index, _ORDERS)
    return coco_json.read(index, found, True, order, go_on)
  if found := voc_xml.find(files):
    return voc_xml.read(index, found, yolo_text.class_names_of(index), go_on)
  if found := yolo_text.find(index, files):
    return yolo_text.read(index, found, yolo_text.class_names_of(index), go_on)
  raise DataError(
    f'no boxes found in {given or root}: they are read from a COCO file (train.json), '
    'Pascal VOC files (annotations/NAME.xml) or YOLO files (labels/NAME.txt); '
    f'or say where they are: {annotations.FIELD}=FILE_OR_FOLDER'
  )


def _source(root, parts, found, pictures, by_seed):
  most = annotations.most_boxes(found.pictures)
  base = f'{root}{os.sep}'
  names = tuple(picture.name for picture in pictures)
  paths = tf.constant([os.fsencode(base + name) for name in names])
  # Rows of all pictures one after another: padded, a few crowded ones would cost all.
  sizes = np.array([len(picture.boxes) for picture in pictures])
  first = tf.constant(np.concatenate([[0], np.cumsum(sizes)]))
  rows = {
    'boxes': tf.constant(np.concatenate([p.boxes for p in pictures]), tf.float32),
    'classes': tf.constant(np.concatenate([p.classes for p in pictures]), tf.int32),
    'crowd': tf.constant(np.concatenate([p.crowd for p in pictures]), tf.bool),
  }

  def read(index):
    begin, end = first[index], first[index + 1]
    own = {name: values[begin:end] for name, values in rows.items()}
    return {
      'encoded': tf.io.read_file(tf.gather(paths, index)),
      **marks.padded(own, most),
    }

  def describe(index):
    # A name may hold bytes that are no text, and what is described is printed.
    return (base + names[index]).encode('utf-8', 'backslashreplace').decode()

  image_ids = tuple(picture.image_id for picture in pictures)
  counted = collections.Counter(int(n) for p in pictures for n in p.classes)
  return Source(
    marks=('boxes',),
    name='boxes',
    split='+'.join(parts),
    num_examples=len(names),
    num_classes=len(found.class_names),
    class_names=found.class_names,
    describe=describe,
    read=read,
    origin=os.path.realpath(root),
    names=names,
    by_seed=by_seed,
    notes=annotations.notes(found.faults),
    class_counts=tuple(counted[n] for n in range(len(found.class_names))),
    category_ids=found.category_ids,
    image_ids=None if None in image_ids else image_ids,
  )

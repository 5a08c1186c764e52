"""Any set of TFDS with labels, boxes, masks or tags, read record by record.

Nothing is ever downloaded here: a set that is not prepared is an error that says how.
"""

import contextlib
import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from input_pipeline import record_files
from input_pipeline.annotated import tfds_marks
from input_pipeline.errors import DataError, NotPrepared, nearest
from input_pipeline.source import FileSlice, Source

# What is not in TFDS, for messages.
OWN_NAMES = (
  'folder',
  'boxes',
  'masks',
  'tags',
  'digits',
  'made',
  'made_boxes',
  'made_masks',
  'made_tags',
  'places',
  'made_places',
)


def open_tfds(
  name: str,
  split: str,
  data_dir: str = '',
  dir_flag: str = '--config.data.dir',
  wants: str = 'label',
) -> Source:
  """Opens a split of a prepared TFDS set.

  Args:
    name: 'cifar10', 'imagenet2012:5.*.*', 'imagenet_v2/matched-frequency', ...
    split: whatever TFDS' own API takes: 'test', 'train[:90%]', 'train+test', 'all'.
    data_dir: where TFDS sets are; '' is TFDS' default, ~/tensorflow_datasets.
    dir_flag: by which that is given, for messages.
    wants: what is to be learned: 'label', 'boxes', 'masks' or 'tags'; or 'answers', to
      be measured on photos of which several classes are right.

  Raises:
    DataError: unknown name or split, not prepared (`NotPrepared`), or not images with
      what is wanted.
  """
  try:
    builder = tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
  except tfds.core.DatasetNotFoundError:
    plain = name.split('/')[0].split(':')[0]
    known = [*tfds.list_builders(), *OWN_NAMES]
    raise DataError(f'unknown data set {name!r}: {nearest(plain, known)}') from None
  except (AssertionError, ValueError, RuntimeError) as error:
    reason = ' '.join(str(error).split())
    raise DataError(f'TFDS cannot open {name!r}: {reason[:300]}') from None
  # Asked first because TFDS warns about a directory that is not there.
  if not (builder.data_path.exists() and builder.is_prepared()):
    raise NotPrepared(_not_prepared(builder, name, dir_flag))
  return source_of(builder, name, split, wants)


def source_of(builder, name: str, split: str, wants: str = 'label') -> Source:
  """The source of one split of a prepared builder."""
  features, marked = builder.info.features, None
  if wants == 'label':
    _check_features(features, name)
  else:
    marked = tfds_marks.of_set(builder, name, wants)
  splits = builder.info.splits
  for part in split.split('+'):
    if (asked := part.partition('[')[0].strip()) not in (*splits, 'all'):
      raise DataError(
        f'{name} has no split {asked!r}, only {", ".join(sorted(splits))}'
      )
  file_format = builder.info.file_format
  if file_format is not None and file_format.value != 'tfrecord':
    raise DataError(
      f'{builder.data_path} holds {file_format.value} files, only tfrecord is read; '
      f'convert it: tfds convert_format --dataset_version_dir={builder.data_path} '
      '--out_file_format=tfrecord --out_dir=<new directory>'
    )
  try:
    count = splits[split].num_examples
    files = splits[split].file_instructions
  except (ValueError, AssertionError, NotImplementedError) as error:
    reason = ' '.join(str(error).split())
    raise DataError(f'{name} cannot be split by {split!r}: {reason[:200]}') from None
  if count < 1:
    raise DataError(f'split {split!r} of {name} in {builder.data_path} is empty')
  if gone := record_files.missing(name, [part.filename for part in files]):
    raise DataError(gone)

  def slices(process_index, process_count):
    if process_count > count:
      raise DataError(
        f'{name}/{split} has {count} examples for {process_count} hosts; use fewer '
        'processes, or a larger split'
      )
    share, rest = divmod(count, process_count)
    first, stop = (n * share + min(n, rest) for n in (process_index, process_index + 1))
    return tuple(_between(files, first, stop))

  image = marked.image if marked else 'image'

  def read(record):
    example = features.deserialize_example(
      record, decoders={image: tfds.decode.SkipDecoding()}
    )
    if marked:
      return {'encoded': example[image], **marked.read(example)}
    return {
      'encoded': example['image'],
      'label': tf.cast(example['label'], tf.int32),
    }

  class_names = tuple(marked.class_names if marked else features['label'].names)

  return Source(
    name=name,
    split=split,
    num_examples=count,
    num_classes=len(class_names) if marked else features['label'].num_classes,
    class_names=class_names,
    describe=lambda index: f'{name}/{split}[{index}]',
    read=read,
    image_size=tuple(features[image].shape[:2]),
    slices=slices,
    origin=builder.info.full_name,
    unlabelled=() if marked else tuple(_unlabelled(splits, files, read)),
    notes=marked.notes if marked else (),
    marks=tfds_marks.NAMES.get(wants, ()),
  )


def _between(files, first, stop):
  """The slices that hold the examples `first` to `stop` - 1 of a split.

  TFDS' own even shares are those of each part of a sum of splits; the place of an
  example would then depend on the number of processes.
  """
  start = 0
  for part in files:
    begin, end = max(first, start), min(stop, start + part.take)
    if begin < end:
      skip = part.skip + begin - start
      yield FileSlice(part.filename, skip, end - begin, begin)
    start += part.take


def _unlabelled(splits, files, read):
  """The names of the splits among `files` whose first example is labelled -1.

  Splits without labels are so from the first to the last. One record of each is read.
  """
  for name in splits:
    own = set(map(os.path.basename, splits[name].filenames))
    paths = (part.filename for part in files if os.path.basename(part.filename) in own)
    if (path := next(paths, None)) is None:
      continue
    # What cannot be read is told by whoever reads it all. Not `ignore_errors`: it asks
    # for ever for a file that is not there.
    with contextlib.suppress(tf.errors.OpError):
      records = tf.data.TFRecordDataset(path).take(1).map(read)
      if any(int(example['label']) < 0 for example in records):
        yield name


def _check_features(features, name):
  names = ', '.join(features) if hasattr(features, 'keys') else str(features)
  for wanted, kind in (
    ('image', tfds.features.Image),
    ('label', tfds.features.ClassLabel),
  ):
    if not hasattr(features, 'keys') or wanted not in features:
      raise DataError(
        f'{name} has no feature {wanted!r}, it has {names}; a set with one image and '
        'one class label per example is needed'
      )
    if not isinstance(features[wanted], kind):
      raise DataError(
        f'feature {wanted!r} of {name} is a {type(features[wanted]).__name__}, a '
        f'{kind.__name__} is needed'
      )
  dtype = np.dtype(features['image'].np_dtype)
  if dtype != np.uint8:
    raise DataError(f'the images of {name} are {dtype}, not uint8')


def _not_prepared(builder, name, dir_flag):
  path = str(builder.data_path)
  root = path.removesuffix(builder.info.full_name).rstrip('/')
  build = f'`tfds build {name} --data_dir={root}`'
  where = f'{name} is not prepared: nothing in {path}'
  if builder.name == 'imagenet2012':
    return (
      f'{where}; download ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from '
      f'image-net.org into {root}/downloads/manual/ and run {build} (once, about '
      '300 GB and some hours); to see a run without it, use the same config with '
      ':quick, or --config=configs/quickstart.py'
    )
  return (
    f'{where}; run {build} once, which downloads it, or say where it is: '
    f'{dir_flag}=FOLDER'
  )

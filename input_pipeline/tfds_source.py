"""Any image classification set of TFDS, read record by record from its TFRecord files.

Nothing is ever downloaded here: a set that is not prepared is an error that says how.
"""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from input_pipeline.errors import DataError, nearest
from input_pipeline.source import FileSlice, Source


def open_tfds(name: str, split: str, data_dir: str = '') -> Source:
  """Opens a split of a prepared TFDS set.

  Args:
    name: 'cifar10', 'imagenet2012:5.*.*', 'imagenet_v2/matched-frequency', ...
    split: a split or subsplit ('train[:90%]').
    data_dir: where TFDS sets are; '' is TFDS' default, ~/tensorflow_datasets.

  Raises:
    DataError: unknown name or split, not prepared, or not images with labels.
  """
  try:
    builder = tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
  except tfds.core.DatasetNotFoundError:
    plain = name.split('/')[0].split(':')[0]
    known = [*tfds.list_builders(), 'folder', 'digits', 'made']
    raise DataError(f'unknown data set {name!r}: {nearest(plain, known)}') from None
  except (AssertionError, ValueError, RuntimeError) as error:
    reason = ' '.join(str(error).split())
    raise DataError(f'TFDS cannot open {name!r}: {reason[:300]}') from None
  # Asked first because TFDS warns about a directory that is not there.
  if not (builder.data_path.exists() and builder.is_prepared()):
    raise DataError(_not_prepared(builder, name))
  return source_of(builder, name, split)


def source_of(builder, name: str, split: str) -> Source:
  """The source of one split of a prepared builder."""
  features = builder.info.features
  _check_features(features, name)
  splits = builder.info.splits
  if split.split('[')[0] not in splits:
    raise DataError(f'{name} has no split {split!r}, only {", ".join(sorted(splits))}')
  file_format = builder.info.file_format
  if file_format is not None and file_format.value != 'tfrecord':
    raise DataError(
      f'{builder.data_path} holds {file_format.value} files, only tfrecord is read; '
      f'convert it: tfds convert_format --dataset_version_dir={builder.data_path} '
      '--out_file_format=tfrecord --out_dir=<new directory>'
    )
  try:
    count = splits[split].num_examples
  except (ValueError, AssertionError) as error:
    reason = ' '.join(str(error).split())
    raise DataError(f'{name} cannot be split by {split!r}: {reason[:200]}') from None
  if not count:
    raise DataError(f'split {split!r} of {name} in {builder.data_path} is empty')

  def slices(process_index, process_count):
    if process_count > count:
      raise DataError(f'{name}/{split} has {count} examples for {process_count} hosts')
    shares = tfds.even_splits(split, n=process_count)
    start = sum(splits[share].num_examples for share in shares[:process_index])
    result = []
    for part in splits[shares[process_index]].file_instructions:
      result.append(FileSlice(part.filename, part.skip, part.take, start))
      start += part.take
    return tuple(result)

  def read(record):
    example = features.deserialize_example(
      record, decoders={'image': tfds.decode.SkipDecoding()}
    )
    return {
      'encoded': example['image'],
      'label': tf.cast(example['label'], tf.int32),
    }

  return Source(
    name=name,
    split=split,
    num_examples=count,
    num_classes=features['label'].num_classes,
    class_names=tuple(features['label'].names),
    describe=lambda index: f'{name}/{split}[{index}]',
    read=read,
    image_size=tuple(features['image'].shape[:2]),
    slices=slices,
  )


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


def _not_prepared(builder, name):
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
    f'{where}; run {build} once, which downloads it, or set data_dir to where it is'
  )

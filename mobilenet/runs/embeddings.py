"""What a frozen network makes of photos: computed once, kept, and trained on.

While only the classifier learns and images are prepared without any draw, a photo gives
the same numbers in every epoch. They are computed once and kept in the user's cache, so
that each epoch takes a fraction of a second:

    if embeddings.suffice(config):
      kept = embeddings.of_source(config, model, variables, source)
      data = loop.Data(train=functools.partial(kept.train_batches, ...), ...)
"""

import dataclasses
import hashlib
import io
import math
import os
import pathlib
import time
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

import input_pipeline
from mobilenet import experiment
from mobilenet.models import folding, user_cache
from mobilenet.models.classifier import Classifier
from mobilenet.training import files
from mobilenet.training.errors import TrainingError, require
from mobilenet.weights import starting
from mobilenet.weights.own_file import flatten

CLASSIFIER = 'classifier'  # the value of config.model.trained

# Images at once; more is slower on CPUs, whose caches hold no more.
_BATCH = 32
# Of all numbers of a split; they are held in memory.
_MOST_BYTES = 4 * 2**30
_VERSION = '3'
_FIELD = 'field_'  # before the name of one, in a file
_NO_FILE = ''  # size, times and inode of what is no file


@dataclasses.dataclass(frozen=True)
class Embeddings:
  """Of all examples of a split, in their order.

  values: float32 (N, ...), what `Classifier.embed` gave. fields: (N, ...) by name, what
  a batch holds besides, such as 'label'. ok: (N,), whether the photo could be read; the
  values of others are zero. names: of the examples, for messages.
  """

  values: np.ndarray
  fields: Mapping[str, np.ndarray]
  ok: np.ndarray
  names: tuple[str, ...]

  @property
  def corrupt(self) -> list[str]:
    """Names of the photos that could not be read, sorted."""
    return sorted(name for name, ok in zip(self.names, self.ok, strict=True) if not ok)

  def train_batches(self, batch_size: int, seed: int, start_step: int = 0) -> 'Batches':
    """Endless batches, a pure function of (seed, step).

    Every epoch is a permutation of what could be read; a batch may reach from one epoch
    into the next.
    """
    return Batches(self._train_batches(batch_size, seed, start_step), self.corrupt)

  def _train_batches(self, batch_size, seed, step):
    readable = np.flatnonzero(self.ok)
    count = len(readable)

    def places(epoch):
      return readable[np.random.default_rng((seed, epoch)).permutation(count)]

    epoch, place = divmod(step * batch_size, count)
    order = places(epoch)[place:]
    while True:
      while len(order) < batch_size:
        epoch += 1
        order = np.concatenate([order, places(epoch)])
      chosen, order = order[:batch_size], order[batch_size:]
      yield {'image': self.values[chosen], **self._fields_of(chosen)}

  def eval_batches(self, batch_size: int) -> 'Batches':
    """Every example once, as `input_pipeline.eval_batches` gives them."""
    return Batches(self._eval_batches(batch_size), self.corrupt)

  def _eval_batches(self, batch_size):
    for first in range(0, len(self.ok), batch_size):
      rows = np.arange(first, min(first + batch_size, len(self.ok)))
      missing = batch_size - len(rows)
      filled = np.concatenate([rows, np.zeros(missing, int)])
      real = np.arange(batch_size) < len(rows)
      yield {
        'image': self.values[filled],
        **self._fields_of(filled),
        'mask': (self.ok[filled] & real).astype(np.float32),
        'index': np.where(real, filled, -1),
      }

  def _fields_of(self, rows):
    return {name: values[rows] for name, values in self.fields.items()}


class Batches(Iterator):
  """An iterator that knows what could not be read."""

  def __init__(self, batches, corrupt: list[str]):
    self._batches, self.corrupt = batches, corrupt

  def __next__(self):
    return next(self._batches)


def suffice(config: ConfigDict) -> bool:
  """Whether a run can train on embeddings: nothing of its images is ever drawn.

  Also, it is one process: several would compute everything each.
  """
  text, eval_text = (experiment.ops(config, name) for name in ('train_ops', 'eval_ops'))
  drawn = input_pipeline.parse_ops(text, 'train')
  return (
    experiment.make_task(config).has_embeddings
    and config.model.trained == CLASSIFIER
    and drawn == input_pipeline.parse_ops(eval_text, 'eval')
    and not config.data.batch_ops
    and config.data.repeats == 1
    and jax.process_count() == 1
  )


def of_source(
  config: ConfigDict,
  model: Classifier,
  variables: dict[str, Any],
  source: 'input_pipeline.Source',
) -> Embeddings:
  """The embeddings of a split; what is kept of an earlier call is not computed again.

  They are kept in the user's cache by the weights, the network, the op string and the
  origin of the data. Of a folder, photos that are new or changed (by size, times and
  place on the disk) are computed and the others are reused; of other data, a split is
  kept as a whole. What could not be read is not kept: it is tried again.

  Args:
    config: of the run; its `data.eval_ops` prepare the images.
    model: whose `embed` is computed.
    variables: {'params', 'batch_stats'} of the model.
    source: the split.

  Raises:
    DataError: too many photos cannot be read.
    TrainingError: the split is too large to be held in memory, no photo can be read, or
      what the network gives is not finite.
  """
  path = _path(config, model, variables, source)
  fields = experiment.make_task(config).fields
  stamps = _stamps(source)
  kept = _read(path)
  rows = [kept.get(stamp) for stamp in stamps]
  missing = [n for n, row in enumerate(rows) if row is None]
  if missing:
    _check_size(model, config.resolution, source)
    began = time.monotonic()
    for n, row in _computed(config, model, variables, source, missing, fields):
      rows[n] = row
    _check_finite(rows, source)
    read = {stamp: row for stamp, row in zip(stamps, rows, strict=True) if row.ok}
    _write(path, kept | read)
    tell = f'computed for {len(missing):,} in {time.monotonic() - began:.0f} s'
  else:
    tell = 'all kept from an earlier run'
  print(f'embeddings of {source.num_examples:,} images of {source.split}: {tell}')
  ok = np.asarray([row.ok for row in rows])
  require(ok.any(), f'none of the {len(ok):,} images of {source.split} can be read')
  read = np.stack([row.values for row in rows if row.ok])
  values = np.zeros((len(rows), *read.shape[1:]), np.float32)
  values[ok] = read
  names = tuple(source.describe(n) for n in range(source.num_examples))
  found = Embeddings(values, _fields(fields, rows, source), ok, names)
  if 'label' in fields:
    _tell_of_classes(found, source)
  return found


class _Row(NamedTuple):
  """Of one example; values: None where it could not be read."""

  values: np.ndarray | None
  fields: Mapping[str, np.ndarray]

  @property
  def ok(self) -> bool:
    return self.values is not None


def _fields(names, rows, source) -> dict[str, np.ndarray]:
  """What the source knows without reading, and the rest as it was read.

  A folder's photos keep what was computed of them when somebody corrects what is said.
  """
  known = dict(source.fields or {})
  if source.labels is not None:
    known['label'] = np.asarray(source.labels, np.int32)
  return {
    name: known[name] if name in known else np.stack([row.fields[name] for row in rows])
    for name in names
  }


def _check_finite(rows, source) -> None:
  for n, row in enumerate(rows):
    require(
      not row.ok or bool(np.isfinite(row.values).all()),
      f'the network gives numbers that are not finite for {source.describe(n)}: are '
      'its weights damaged? give the file of config.init anew',
    )


def _tell_of_classes(found: Embeddings, source) -> None:
  """Names the classes that have photos, of which none can be read."""
  label = found.fields['label']
  lost = set(label.tolist()) - set(label[found.ok].tolist()) - {-1}
  for label in sorted(lost):
    print(
      f'warning: no image of {source.class_names[label]} in {source.split} can be read'
    )


def _computed(config, model, variables, source, missing, fields):
  """(place, `_Row`) of the missing examples."""
  if source.names is None:
    part, places = source, list(range(source.num_examples))
  else:
    only = [source.names[n] for n in missing]
    # The classes of the run: cells that these photos alone would make are others.
    part, places = (
      experiment.open_source(config, source.split, only=only, known=source.class_names),
      missing,
    )
  folded, constants = folding.fold(model, jax.tree.map(np.asarray, variables))
  constants = jax.device_put(constants)
  embed = jax.jit(lambda v, images: folded.apply(v, images, method='embed'))
  batches = input_pipeline.eval_batches(
    part,
    ops=experiment.ops(config, 'eval_ops'),
    batch_size=_BATCH,
    corrupt_limit=config.data.corrupt_limit,
  )
  waiting = None
  for batch in batches:
    some = bool(batch['mask'].any())
    computed = embed(constants, batch['image']) if some else None
    if waiting is not None:
      yield from _rows(*waiting, places, fields)
    waiting = batch, computed  # read while the next batch is computed
  if waiting is not None:
    yield from _rows(*waiting, places, fields)


def _rows(batch, computed, places, fields):
  values = None if computed is None else np.asarray(computed, np.float32)
  for n, index in enumerate(batch['index']):
    if index >= 0:
      value = values[n] if batch['mask'][n] else None
      own = {name: np.asarray(batch[name][n]) for name in fields}
      yield places[index], _Row(value, own)


def _check_size(model, resolution, source) -> None:
  image = jax.ShapeDtypeStruct((1, resolution, resolution, 3), np.float32)
  made = jax.eval_shape(
    lambda key, x: model.init_with_output(key, x, method='embed')[0],
    jax.random.key(0),
    image,
  )
  size = 4 * source.num_examples * math.prod(made.shape)
  require(
    size <= _MOST_BYTES,
    f'the embeddings of {source.num_examples:,} images of {source.split} need '
    f'{size / 2**30:.1f} GiB; give --config.data.train_ops an op that draws, such as '
    'flip, to train without keeping them',
  )


# ---- what is kept --------------------------------------------------------------------


def _path(config, model, variables, source) -> pathlib.Path:
  digest = hashlib.sha256(_VERSION.encode())
  for name, value in sorted(flatten(jax.tree.map(np.asarray, variables)).items()):
    if not name.startswith(starting.CLASSIFIER):
      digest.update(f'{name} {value.shape} {value.dtype}'.encode())
      digest.update(np.ascontiguousarray(value))
  place = source.origin if source.names is not None else (source.origin, source.split)
  fields = experiment.make_task(config).fields
  rest = (model.network, experiment.ops(config, 'eval_ops'), place, fields)
  digest.update(repr(rest).encode())
  return user_cache.folder('embeddings') / f'{digest.hexdigest()[:32]}.npz'


def _stamps(source) -> list[tuple[str, str]]:
  """What tells each example, and each version of it, from all others.

  Size and time of a photo can be those of the one that had its name before: when it was
  unpacked from an archive, or its folder was renamed. The time of the last change to
  the file's entry and its place on the disk (inode) then differ.
  """
  if source.names is None:
    return [(str(n), _NO_FILE) for n in range(source.num_examples)]
  stamps = []
  for name in source.names:
    try:
      about = os.stat(os.path.join(source.origin, name))
      numbers = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
      seen = ' '.join(map(str, numbers))
    except OSError:
      seen = _NO_FILE
    stamps.append((os.fsencode(name).hex(), seen))
  return stamps


def _read(path: pathlib.Path) -> dict[tuple[str, str], _Row]:
  """Stamp -> what was computed; nothing where the file is not there or damaged."""
  try:
    with np.load(io.BytesIO(path.read_bytes())) as stored:
      names, seen = stored['names'].tolist(), stored['seen'].tolist()
      values = stored['values']
      fields = {
        name.removeprefix(_FIELD): stored[name]
        for name in stored.files
        if name.startswith(_FIELD)
      }
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
    return {}
  own = ({name: each[n] for name, each in fields.items()} for n in range(len(values)))
  rows = map(_Row, values, own)
  return dict(zip(zip(names, seen, strict=True), rows, strict=True))


def _write(path: pathlib.Path, kept: dict[tuple[str, str], _Row]) -> None:
  """Keeps them; where that is impossible a line says so, and they are still used.

  Of a photo that changed the older version is dropped.
  """
  if not kept:
    return
  newest = {stamp[0]: stamp for stamp in kept}
  stamps = list(newest.values())
  values, own = zip(*(kept[stamp] for stamp in stamps), strict=True)
  data = io.BytesIO()
  np.savez(
    data,
    names=np.asarray([stamp[0] for stamp in stamps]),
    seen=np.asarray([stamp[1] for stamp in stamps]),
    values=np.stack(values),
    **{_FIELD + name: np.stack([each[name] for each in own]) for name in own[0]},
  )
  try:
    files.replace_file(path, data.getvalue())
  except TrainingError as error:
    print(f'note: embeddings are not kept: {error}')

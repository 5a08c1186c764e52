"""Writes what a network says, for a student to learn.

    python main.py --job=logits --init=runs/finetune --data_dir=photos --out=logits.npz

Training takes the file as --config.teacher.logits, with the same folder of photos; see
configs/distill.py. Each photo is prepared as for the network's evaluation. A photo that
cannot be read is named and left out, as training does; once it is repaired, training
asks for a new file. Of a folder with tags the photos are those that its CSV names.
--embeddings writes for --config.teacher.features what the network's classifier is
given, too.
"""

import pathlib

import numpy as np

import input_pipeline
from mobilenet import trained
from mobilenet.command_line import Flag, Given
from mobilenet.reports import counter
from mobilenet.runs import answering, stored_logits
from mobilenet.training import sharding, workdir
from mobilenet.training.errors import require

CORRUPT_LIMIT = 10  # as many as training leaves out by default
BATCH_SIZE = 32
DATA = ('folder', 'tags')  # kinds that are folders of photos

FLAGS = (
  Flag('init', str, None, 'A finished workdir or a weight file: the network.'),
  Flag('data_dir', str, None, 'The folder of photos, as training gets it.'),
  Flag('resolution', int, None, "px of the images; the network's own by default."),
  Flag('out', str, 'logits.npz', 'The file to write.'),
  Flag('data', str, None, "'folder' or 'tags'; what the network was trained on."),
  Flag('annotations', str, '', 'Of tags: the CSV, where the folder has several.'),
  Flag('embeddings', bool, False, 'Also write what its classifier is given.'),
)


def run(given: Given) -> int:
  flags = given.flags
  require(bool(flags.init), 'which network? --init=runs/finetune, or a weight file')
  require(
    flags.resolution is None or 8 <= flags.resolution <= 8192,
    f'--resolution={flags.resolution} must be from 8 to 8192',
  )
  require(
    flags.data in (None, *DATA), f'--data={flags.data} must be {" or ".join(DATA)}'
  )
  write_logits(
    flags.init,
    flags.data_dir or '',
    pathlib.Path(flags.out),
    flags.resolution,
    with_embeddings=flags.embeddings,
    data=flags.data or _data_of(flags.init),
    annotations=flags.annotations,
  )
  return 0


def _data_of(init: str) -> str:
  """The kind of folder that a workdir was trained on; 'folder' for anything else."""
  folder = pathlib.Path(init).expanduser()
  stored = workdir.read_config(folder) if folder.is_dir() else None
  task = stored['task'] if stored else ''
  require(
    task != 'places',
    f'{init} is a run of places, and answers are stored of class folders and tags: a '
    f'student may ask it while it learns, --config.teacher.weights={init}',
  )
  return 'tags' if task == 'tags' else 'folder'


def write_logits(
  init: str,
  folder: str,
  out: pathlib.Path,
  resolution: int | None = None,
  *,
  with_embeddings: bool = False,
  data: str = 'folder',
  annotations: str = '',
) -> None:
  """Writes the logits of all photos of a folder, see `runs.stored_logits`.

  Args:
    init: a workdir or a weight file.
    folder: with train/<class>/ and others, or with class folders; whole.
    out: the file.
    resolution: px; None for the network's own.
    with_embeddings: whether to write these, too.
    data: one of DATA. annotations: of 'tags', the CSV; '' looks for it.

  Raises:
    TrainingError, ModelError, DataError: network or photos cannot be read, or the file
      cannot be written.
  """
  weights = trained.load_weights(init)
  answering.check(weights)
  size = resolution or answering.own_resolution(init, weights)
  require(
    with_embeddings or not answering.is_embedder(weights),
    f'{weights.origin} names no classes: add --embeddings, which is all that it says',
  )
  source = input_pipeline.open_source(
    data, 'all', data_dir=folder, annotations=annotations, dir_flag='--data_dir'
  )
  mesh = sharding.make_mesh()
  devices = mesh.devices.size
  answer = answering.answering(weights, mesh, lambda images: images)
  batches = input_pipeline.eval_batches(
    source,
    ops=weights.contract.eval_ops(size),
    batch_size=-(-BATCH_SIZE // devices) * devices,
    corrupt_limit=CORRUPT_LIMIT,
  )
  count = 0 if answering.is_embedder(weights) else weights.model['num_classes']
  looked = stored_logits.looked_at(source.origin, source.names)
  logits = np.zeros((source.num_examples, count), np.float32)
  ok = np.zeros(source.num_examples, bool)
  embeddings = None
  with counter.counting(source.num_examples, 'photos') as advance:
    for batch in batches:
      read = batch['mask'] > 0
      ok[batch['index'][read]] = True
      said = answer(batch['image'])
      logits[batch['index'][read]] = np.asarray(said.logits)[read]
      if with_embeddings:
        if embeddings is None:
          width = said.embedding.shape[1]
          embeddings = np.zeros((source.num_examples, width), np.float32)
        embeddings[batch['index'][read]] = np.asarray(said.embedding)[read]
      advance(int(np.sum(batch['index'] >= 0)))
  for name in batches.corrupt:
    print(f'left out, since it cannot be read: {name}')
  classes = (weights.class_names or tuple(f'class {n}' for n in range(count)))[:count]
  names = tuple(name for name, read in zip(source.names, ok, strict=True) if read)
  files = dict(zip(source.names, looked, strict=True))
  embeddings = None if embeddings is None else embeddings[ok]
  stored = stored_logits.Stored(names, logits[ok], classes, embeddings, files)
  stored_logits.write(out, stored)
  besides = '' if embeddings is None else f', and embeddings of {embeddings.shape[1]:,}'
  print(
    f'{len(names):,} photos of {source.origin}, {count:,} classes, {size} px, '
    f'by {weights.origin}\nlogits{besides}: {out}'
  )

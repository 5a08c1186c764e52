"""A run as a file for another runtime, checked on the run's own images."""

import contextlib
import dataclasses
import functools
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np

from mobilenet import experiment, tasks, trained
from mobilenet.export import check, formats, program
from mobilenet.export.errors import ExportError
from mobilenet.export.quantised import WHOLE, Quantised
from mobilenet.reports import terminal
from mobilenet.runs import exporting_marks, quantising
from mobilenet.tasks.classification import intervals
from mobilenet.training import files, sharding
from mobilenet.training.errors import TrainingError, require

FOLDERS = ('folder', 'boxes', 'masks', 'tags', 'places')
HARD_SWISH = 'hard_swish'
MADE_IMAGES = 32  # where a run has no data


@dataclasses.dataclass(frozen=True)
class Wanted:
  """What to export.

  format: a key of `formats.FORMATS`. precision: one of its precisions. out: the file;
  None for one in the run's folder `export`. answer: see `export.answers`; None for the
  default. data_dir, split: the images to check it on; None for the run's evaluation
  split. most_lost: points of top-1, mAP or mIoU that a file of integers may lose.
  calibration: where its ranges come from.
  """

  format: str
  precision: str
  out: pathlib.Path | None = None
  answer: str | None = None
  data_dir: str | None = None
  split: str | None = None
  most_lost: float = 2.0
  calibration: quantising.Calibration = dataclasses.field(
    default_factory=quantising.Calibration
  )


def export(folder: pathlib.Path, wanted: Wanted) -> pathlib.Path:
  """Writes a run's network and compares it with the network before it gets its name.

  Args:
    folder: of the run.
    wanted: see `Wanted`.

  Returns:
    The file.

  Raises:
    TrainingError, ModelError, DataError: no run, a format that cannot hold it, or a
      file that does not answer as the network does; then there is no file.
  """
  form = formats.FORMATS[wanted.format]
  formats.check(wanted.format, wanted.precision)
  run = trained.load_run(folder)
  made = program_of(run, wanted.answer)
  name = f'{folder.name}-{wanted.precision}{form.suffix}'
  out = wanted.out or folder / 'export' / name
  require(out.name.endswith(form.suffix), f'{out} must end in {form.suffix}')
  marks = made.task != 'classification'
  batches, of = images_of(run, wanted, marks)
  integers = wanted.precision in WHOLE
  rounded = quantising.quantise(run, made, wanted.calibration) if integers else None
  if rounded is not None:
    made = dataclasses.replace(made, calibration=wanted.calibration.described())
  require(
    not out.is_dir() or not any(out.iterdir()) or (out / 'saved_model.pb').exists(),
    f'{out} is a folder with other things in it: move it away, or give another --out',
  )
  with draft_of(out) as draft:
    formats.write(made, draft, wanted.format, wanted.precision, rounded)
    network = jax.jit(made.function())
    opened = formats.open_file(draft)
    begin = list(itertools.islice(batches, 1))
    require(bool(begin), f'no image of {of} can be read: there is nothing to check on')
    batches = itertools.chain(begin, batches)
    if not marks:
      answers = functools.partial(opened.answers, contract=made.contract)
      found = check.compare(network, answers, batches)
      refused = check.refusal(found, wanted.precision, wanted.most_lost)
      rows = rows_of(found, of)
    else:
      found = exporting_marks.compare(made, network, opened, batches)
      refused = exporting_marks.refusal(found, wanted.precision, wanted.most_lost)
      rows = exporting_marks.rows_of(found, of)
    show(made, network, form, draft, out, rows)
    if refused:
      raise ExportError(f'{out} is not written: {refused}')
    if rounded is not None:
      tell_layers(rounded, exporting_marks.images_in(begin[0]), out)
  print(f'written: {out}')
  return out


def program_of(run: trained.Run, answer: str | None = None) -> program.Program:
  """The program of a run, at the resolution that it was trained with."""
  task = experiment.make_task(run.config)
  of_task = tasks.exported(run.config.task)
  said = of_task.said_of(task, run.folder, run.step, run.outputs)
  weights = trained.to_weights(run)
  return program.of_weights(weights, run.config.resolution, answer=answer, **said)


@contextlib.contextmanager
def draft_of(out: pathlib.Path) -> Iterator[pathlib.Path]:
  """A path to write to, which becomes `out` where nothing is raised.

  Raises:
    TrainingError: the folder cannot be written.
  """
  draft = out.with_name(f'draft-{os.getpid()}-{out.name}')
  try:
    out.parent.mkdir(parents=True, exist_ok=True)
    yield draft
    files.replace(draft, out)
  except (ExportError, TrainingError) as error:
    raise ExportError(str(error).replace(str(draft), str(out))) from error
  except OSError as error:
    raise files.write_error(out, error) from error
  finally:
    with contextlib.suppress(OSError):  # where nothing could be written
      files.remove(draft)


def images_of(run: trained.Run, wanted: Wanted, marks: bool) -> tuple[Iterator, str]:
  """Prepared images with labels to check a file on, and whose they are.

  With `marks`, of files that answer otherwise than classifiers, they are whole batches;
  see `exporting_marks`.

  An imported run has no data of its own: without `data_dir` images are made.
  """
  config = run.config
  if config.data.name in FOLDERS and not (wanted.data_dir or config.data.dir):
    require(
      wanted.precision in check.TOLERANCE,
      f'{wanted.precision} is checked on photos, and this run has none: give '
      '--data_dir=photos',
    )
    print(
      'note: this run has no photos; the file is checked on noise. '
      '--data_dir=photos checks it on yours'
    )
    noise = _noise(run)
    return iter([{'image': noise} if marks else (noise, None)]), 'noise'
  split = wanted.split or config.data.eval_split
  whole = wanted.data_dir is not None and wanted.split is None
  source = experiment.open_source(
    config,
    split,
    wanted.data_dir,
    whole=whole,
    known=run.outputs,
    split_flag='--split',
  )
  if marks:
    return exporting_marks.batches(run, source), source.split
  # The folder may have some of the run's classes only.
  names, places = experiment.make_task(config).outputs(source), None
  if set(names) <= set(run.outputs):
    places = np.array([run.outputs.index(name) for name in names])
  else:
    print(
      f'note: {source.origin} has other classes than the run: how often both give the '
      'same class is compared, not how often it is right'
    )
  return _batches(config, source, places), source.split


def _noise(run: trained.Run) -> np.ndarray:
  """Images with values that photos can have, float32 (N, H, W, 3)."""
  side, contract = run.config.resolution, trained.contract_of_run(run.config)
  drawn = np.random.default_rng(0).uniform(size=(MADE_IMAGES, side, side, 3))
  images = (drawn - np.asarray(contract.mean)) / np.asarray(contract.std)
  return images.astype(np.float32)


def _batches(config, source, places: np.ndarray | None):
  """places: of the source's classes among the run's; None where they are others."""
  for batch in experiment.eval_batches(config, source, sharding.make_mesh()):
    read = np.asarray(batch['mask']) > 0
    if read.any():
      labels = None if places is None else _moved(np.asarray(batch['label']), places)
      labels = None if labels is None else labels[read]
      yield np.asarray(batch['image'])[read], labels


def _moved(labels: np.ndarray, places: np.ndarray) -> np.ndarray:
  """Labels by the order of others; -1 stays."""
  return np.where(labels < 0, -1, places[labels])


def show(
  made: program.Program,
  network: Callable[[np.ndarray], jax.Array],
  form: formats.Format,
  path: pathlib.Path,
  out: pathlib.Path,
  rows: Sequence[tuple[str, str, str]],
) -> None:
  """Prints the network and the file side by side, in rows of (what, ours, its)."""
  image = np.zeros((1, *made.image_shape()), np.float32)
  threads = form.threads
  opened = [formats.open_file(path, threads=number) for number in threads]
  calls = [lambda: jax.block_until_ready(network(image))]
  calls += [lambda one=one: one.named_answers(image) for one in opened]
  ours, *theirs = check.latencies(calls)
  exported = opened[0]
  table = terminal.make_table(
    f'{out.name}: {sum(exported.operators.values())} operators',
    [('', 'left'), ('network', 'right'), (exported.name, 'right')],
  )
  for row in rows:
    terminal.add_row(table, *row)
  size = sum(leaf.nbytes for leaf in jax.tree.leaves(made.variables))
  sizes = [f'{n / 1e6:.2f} MB' for n in (size, files.size(path))]
  terminal.add_row(table, 'size', *sizes)
  for number, milliseconds in zip(threads, theirs, strict=True):
    cores = os.cpu_count() if number is None else number
    own = f'{ours:.2f} ms' if cores == os.cpu_count() else ''
    name = f'one image, {cores} thread{"s" * (cores != 1)}'
    terminal.add_row(table, name, own, f'{milliseconds:.2f} ms')
  terminal.show(table)
  counts = ', '.join(f'{n} {name}' for name, n in exported.operators.most_common())
  print(f'operators: {counts}')


def rows_of(found: check.Compared, of: str) -> list[tuple[str, str, str]]:
  """What was compared of a classifier, for `show`."""
  rows = []
  if found.labelled:
    shares = [_share(hits, found.labelled) for hits in found.hits]
    rows.append((f'top-1 on {of}, {found.labelled:,} images', *shares))
  rows.append(('same class', '', _share(found.agreeing, found.count)))
  largest = f'{found.difference:.2g}'
  return [*rows, ('largest difference, of the largest answer', '', largest)]


def tell_layers(rounded: Quantised, images: np.ndarray, out: pathlib.Path) -> None:
  """Writes and prints what rounding leaves of each value, on prepared images."""
  table = out.with_name(f'{out.stem}-layers.csv')
  for line in quantising.write_layers(table, rounded, images):
    print(line)
  if HARD_SWISH in {node.op for node in rounded.graph.nodes}:
    print(
      'note: integer hard-swish is slower than float on x86 (V3-Large takes 1.8 times '
      'as long); minimalistic V3 and V4 have none and gain by integers'
    )


def _share(hits: int, total: int) -> str:
  low, high = intervals.wilson(hits, total)
  return (
    f'{100 * hits / total:.1f} % ({100 * float(low):.1f} to {100 * float(high):.1f})'
  )

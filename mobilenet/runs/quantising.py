"""The integers of an exported run: ranges observed on its training images."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator

import jax
import numpy as np

from mobilenet import experiment, trained
from mobilenet.export import calibration, fake_quantisation, quantised
from mobilenet.export import graph as graphs
from mobilenet.export.errors import ExportError
from mobilenet.export.program import Program
from mobilenet.export.quantised import Quantised
from mobilenet.reports import csv_file
from mobilenet.training import sharding
from mobilenet.training.errors import require

# The ends of a range are medians over batches: of few images the batches are smaller.
LARGEST_BATCH, BATCHES = 32, 8
KERNEL_SCALES = {
  'channel': fake_quantisation.of_kernel,
  'tensor': fake_quantisation.of_whole_kernel,
}
WORST = 5  # layers that are told


@dataclasses.dataclass(frozen=True)
class Calibration:
  """images: how many are drawn of the training split, by `seed`, prepared as for
  evaluation. keep_float: how many of the most sensitive values stay floats. data_dir:
  images for a run that has none of its own. kernel_scales: a key of KERNEL_SCALES.
  """

  images: int = 256
  seed: int = 0
  keep_float: int = 0
  data_dir: str | None = None
  kernel_scales: str = 'channel'

  def described(self) -> dict[str, object]:
    return {
      'images': self.images,
      'seed': self.seed,
      'kept_float': self.keep_float,
      'kernel_scales': self.kernel_scales,
    }


def quantise(run: trained.Run, made: Program, how: Calibration) -> Quantised:
  """A run's graph, with the range of each value as the images have it.

  A run that was trained while rounded (configs/qat.py) has ranges of its own.

  Raises:
    ExportError: no images, images of one class alone, or a value that is no number.
    DataError: images that cannot be read.
  """
  graph = graphs.of_program(made, 'int8')
  learned = trained.ranges_of(run)
  batches = [] if learned and not how.keep_float else list(_images(run, how))
  found = learned or calibration.observe(graph, batches)
  scale = KERNEL_SCALES[how.kernel_scales]
  result = Quantised(graph, found.of, kernel_scale=scale)
  source = 'of the training' if learned else f'observed on {found.images:,} images'
  print(f'ranges of {len(found.of)} values, {source}')
  require(
    how.keep_float < len(found.of),
    f'--keep_float={how.keep_float}: {len(found.of)} values become bytes; keep fewer, '
    'or export floats',
  )
  if how.keep_float:
    noise = quantised.sensitivities(result, batches[0])
    kept = [name for name, _ in noise[: how.keep_float]]
    print(f'kept as floats, being the most sensitive: {", ".join(kept)}')
    ranges = {name: ends for name, ends in found.of.items() if name not in kept}
    result = dataclasses.replace(result, ranges=ranges)
  return result


def _images(run: trained.Run, how: Calibration) -> Iterator[np.ndarray]:
  """Batches of prepared training images."""
  config = run.config.copy_and_resolve_references()
  has_none = config.data.name == 'folder' and not config.data.dir
  if has_none and not how.data_dir:
    raise ExportError(
      'integers need images to find the ranges of values on, and this run has none: '
      'give --data_dir=photos'
    )
  with config.unlocked():
    config.data.train_ops, config.data.batch_ops = config.data.eval_ops, ''
    config.data.repeats = 1
    config.seed = how.seed
  split = 'all' if has_none else config.data.train_split
  other = how.data_dir if has_none else None
  source = experiment.open_source(
    config, split, other, whole=has_none, known=run.outputs
  )
  labels, number = set(), min(how.images, source.num_examples)
  size = min(LARGEST_BATCH, -(-number // BATCHES))
  with config.unlocked():
    config.batch_size = size
  mesh = sharding.make_mesh(jax.devices()[:1])  # which divides any batch
  batches = experiment.train_batches(config, source, mesh, 0)
  left = number
  for batch in itertools.islice(batches, -(-number // size)):
    # The last one begins the next epoch where there are too few.
    labels |= set(np.asarray(batch.get('label', ()))[:left].tolist())
    yield np.asarray(batch['image'])[:left]
    left -= size
  if len(labels) == 1 and len(run.outputs) > 1 and not has_none:
    raise ExportError(
      f'the {number:,} calibration images are all of class '
      f'{run.outputs[labels.pop()]}: the ranges would be those of one class; '
      'give images of all classes'
    )


def write_layers(path: pathlib.Path, made: Quantised, images: np.ndarray) -> list[str]:
  """Writes what rounding leaves of each value, a CSV.

  Args:
    path: the file.
    made: the rounded graph.
    images: prepared.

  Returns:
    Lines for a person: the worst.
  """
  found = quantised.signal_to_noise(made, images)
  rows = [(name, op, f'{decibels:.2f}') for name, op, decibels in found]
  csv_file.write(path, ('value', 'op', 'signal_to_noise_db'), rows)
  worst = sorted(found, key=lambda row: row[2])[:WORST]
  told = ', '.join(f'{name} {decibels:.1f}' for name, _, decibels in worst)
  return [f'least signal to noise (dB): {told}', f'all values: {path}']

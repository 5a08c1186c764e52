"""Writes a run for another runtime or framework.

    python main.py --job=export --workdir=runs/v2 --format=tflite
    python main.py --job=export --workdir=runs/v2 --format=timm --out=v2.safetensors

tflite, onnx, savedmodel and stablehlo are the network as a file that runs: it is
compared with the run on the evaluation images before it gets its name (see
docs/deploy.md). own, torchvision, timm and keras are its weights as these frameworks
load them; the printed line loads them there.
"""

import pathlib

from mobilenet import trained
from mobilenet.command_line import Flag, Given
from mobilenet.export import formats
from mobilenet.runs import exporting, quantising
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError, require, unknown_name
from mobilenet.weights import exporting as weights_exporting

FLAGS = (
  Flag(
    'format',
    str,
    'own',
    'tflite, onnx, savedmodel, stablehlo; or own, torchvision, timm, keras.',
  ),
  Flag('out', str, None, 'The file to write.'),
  Flag('precision', str, '', 'float32, float16, int8_weights, int8 or int8_io.'),
  Flag(
    'answer',
    str,
    None,
    'Of files that run: logits or probabilities; of detectors boxes or objects; of '
    'segmenters logits or labels; of tags as of classes.',
  ),
  Flag('data_dir', str, None, 'Photos to check it on, in class folders.'),
  Flag('split', str, None, "The split to check it on; the run's by default."),
  Flag('calibration_images', int, 256, 'Training images for the ranges of integers.'),
  Flag('calibration_seed', int, 0, 'Which of them.'),
  Flag('keep_float', int, 0, 'Number of the most sensitive values that stay floats.'),
  Flag('kernel_scales', str, 'channel', 'channel, or tensor: one scale a kernel.'),
  Flag('most_lost', str, '2', 'Points of top-1, mAP or mIoU that integers may lose.'),
)


def run(given: Given) -> int:
  flags = given.flags
  if flags.format in formats.FORMATS:
    exporting.export(given.run_folder(), _wanted(flags))
    return 0
  known = (*formats.FORMATS, *weights_exporting.FRAMEWORKS)
  if flags.format not in known:
    raise unknown_name('--format', flags.format, known)
  require(
    not flags.precision,
    f'--format={flags.format} has weights as they are; --precision is for '
    f'{", ".join(formats.FORMATS)}: name one as --format',
  )
  require(flags.out is not None, 'name the file to write: --out=weights.safetensors')
  out = workdir.local_path(flags.out)
  export_weights(given.run_folder(), flags.format, out)
  return 0


def _wanted(flags) -> exporting.Wanted:
  require(flags.calibration_images >= 1, '--calibration_images must be at least 1')
  require(flags.keep_float >= 0, '--keep_float must be at least 0')
  if flags.kernel_scales not in quantising.KERNEL_SCALES:
    known = ' or '.join(quantising.KERNEL_SCALES)
    raise TrainingError(f'--kernel_scales={flags.kernel_scales}: it is {known}')
  try:
    most_lost = float(flags.most_lost)
  except ValueError:
    raise TrainingError(f'--most_lost={flags.most_lost} must be a number') from None
  require(0 <= most_lost <= 100, f'--most_lost={flags.most_lost} must be 0 to 100')
  return exporting.Wanted(
    format=flags.format,
    precision=flags.precision or formats.FORMATS[flags.format].precisions()[0],
    out=flags.out and workdir.local_path(flags.out),
    answer=flags.answer,
    data_dir=flags.data_dir,
    split=flags.split,
    most_lost=most_lost,
    calibration=quantising.Calibration(
      images=flags.calibration_images,
      seed=flags.calibration_seed,
      keep_float=flags.keep_float,
      kernel_scales=flags.kernel_scales,
      data_dir=flags.data_dir,
    ),
  )


def export_weights(folder: pathlib.Path, framework: str, out: pathlib.Path) -> None:
  """Writes a run's weights as another framework loads them.

  Args:
    folder: the run's.
    framework: a key of `weights.exporting.FRAMEWORKS`.
    out: the file.

  Raises:
    TrainingError, ModelError: no run, or the framework has no such network.
  """
  weights = trained.to_weights(trained.load_run(folder))
  for line in weights_exporting.export(weights, framework, out):
    print(line)

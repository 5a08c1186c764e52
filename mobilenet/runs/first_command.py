"""Which command a folder of photos is first trained with, and why.

    choose('photos', Seen(train=900, classes=3, short_side=480), None, slow=True)

The rules are a few, and each gives its reason; who knows better changes the command.
"""

import shlex
from typing import NamedTuple

# Photos of a class, on average, from which the whole network is worth training.
ENOUGH = 300
SIZES = (96, 128, 160, 192, 224)  # px that are suggested
SLOW_SIZE = 128  # px at most where a network learns on a CPU
FROM_SCRATCH_SIZE = 96  # px of configs/folder.py
# (images that a run goes through, fewest and most epochs), where it is on a CPU.
FINE_TUNING = (20_000, 3, 20)
FROM_SCRATCH = (150_000, 10, 100)


class Seen(NamedTuple):
  """What the rules look at.

  train: photos for training. classes: their number. short_side: px, the median of a
  sample of photos; None where none could be read.
  """

  train: int
  classes: int
  short_side: int | None


class Given(NamedTuple):
  """Weights to start from: the path as typed, and px that they were made for."""

  path: str
  resolution: int


class Advice(NamedTuple):
  """Two commands, in their order, and a few lines on the second."""

  check: str
  train: str
  reasons: list[str]


def choose(folder: str, seen: Seen, weights: Given | None, *, slow: bool) -> Advice:
  """The commands for a folder.

  Args:
    folder: as a person types it.
    seen: of its photos.
    weights: to start from; None for none.
    slow: whether training is on a CPU.
  """
  each = seen.train / seen.classes
  init = () if weights is None else (f'init={weights.path}',)
  check = _command(
    '--job=check_data', f'--data_dir={folder}', *(f'--{f}' for f in init)
  )
  if weights is None:
    size = FROM_SCRATCH_SIZE if slow else _size(max(SIZES), seen)
    epochs = _epochs(FROM_SCRATCH, seen) if slow else FROM_SCRATCH[2]
    config = f'configs/folder.py:resolution={size},epochs={epochs}'
    reasons = [
      'no weights: a small network, MobileNetV3-Small, learns from nothing but these '
      f'photos, {each:,.0f} a class',
      'with ImageNet weights far fewer photos do: give a file of torchvision, timm or '
      'Keras with --init=FILE',
      *_length(size, epochs, slow),
    ]
    return Advice(check, _training(config, folder), reasons)
  if each < ENOUGH:
    size = _size(weights.resolution, seen)
    reasons = [
      f'{each:,.0f} photos a class are fewer than {ENOUGH}: the network keeps what it '
      'knows, and a new classifier alone learns',
      f'so each photo goes through the network once, at {size} px, whatever the epochs',
    ]
    config, fields = 'configs/transfer.py', (*init, f'resolution={size}')
    return Advice(check, _training(config, folder, *fields), reasons)
  most = min(weights.resolution, SLOW_SIZE) if slow else weights.resolution
  size, epochs = _size(most, seen), _epochs(FINE_TUNING, seen)
  reasons = [
    f'{each:,.0f} photos a class are {ENOUGH} or more: the whole network learns, from '
    'the weights on',
    *_length(size, epochs, slow),
  ]
  config = f'configs/finetune.py:epochs={epochs}'
  fields = (*init, f'resolution={size}')
  return Advice(check, _training(config, folder, *fields), reasons)


def _length(size: int, epochs: int, slow: bool) -> list[str]:
  where = 'a CPU' if slow else 'an accelerator'
  return [
    f'{size} px and {epochs} epochs suit {where}; how long that takes has not been '
    'measured, and training tells it after some steps'
  ]


def _size(most: int, seen: Seen) -> int:
  """The largest usual size that neither the network nor the photos are below."""
  most = most if seen.short_side is None else min(most, seen.short_side)
  return max((size for size in SIZES if size <= most), default=SIZES[0])


def _epochs(limits: tuple[int, int, int], seen: Seen) -> int:
  images, fewest, most = limits
  return min(most, max(fewest, round(images / seen.train)))


def _training(config: str, folder: str, *fields: str) -> str:
  fields = (f'data.dir={folder}', *fields)
  return _command(f'--config={config}', *(f'--config.{field}' for field in fields))


def _command(*arguments: str) -> str:
  return shlex.join(['python', 'main.py', *arguments])

"""How images have to be prepared for given weights: the contract that goes with them.

    Contract(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)).eval_ops(224)
    # 'resize_small(256, antialias=True)|central_crop(224)|normalize(...)'

It lies in a config's `contract` section; `{contract}` in its op strings stands for all
of the evaluation's preparation and `{normalize}` for the last step alone.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilenet.weights.weight_file import WeightsError

RESIZES = ('short_side', 'squash')
INTERPOLATIONS = ('bilinear', 'bicubic', 'nearest', 'area')
CHANNEL_ORDERS = ('rgb', 'bgr')


@dataclasses.dataclass(frozen=True)
class Contract:
  """What an image goes through before the network sees it.

  mean, std: per channel, of values in 0..1: the network sees (value - mean) / std.
    0.5 and 0.5 are TensorFlow's range -1..1.
  resize: 'short_side' resizes the short side to resolution / crop_fraction and takes
    the central square (PyTorch's); 'squash' takes the central `crop_fraction` of both
    sides and resizes that to a square whatever its shape was (slim's).
  crop_fraction: in (0, 1].
  interpolation, antialias: of the resize; PIL always widens its filter, TF1 never.
  resolution: px, of the square that the published accuracy belongs to.
  channel_order: 'rgb' or 'bgr'.
  label_offset: classes in front of the first one in the file they came from, left out
    here: 1 where that had 1,001 with a background.
  """

  mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
  std: tuple[float, float, float] = (0.5, 0.5, 0.5)
  resize: str = 'squash'
  crop_fraction: float = 0.875
  interpolation: str = 'bilinear'
  antialias: bool = False
  resolution: int = 224
  channel_order: str = 'rgb'
  label_offset: int = 0

  def eval_ops(self, resolution: int | None = None) -> str:
    """The op string (of `input_pipeline`) that prepares an image for evaluation."""
    size = resolution or self.resolution
    how = '' if self.interpolation == 'bilinear' else f", '{self.interpolation}'"
    how += ', antialias=True' if self.antialias else ''
    if self.resize == 'short_side':
      # Down, as timm and torchvision round: 224 / 0.875 is 256 exactly.
      ops = [
        f'resize_small({int(size / self.crop_fraction)}{how})',
        f'central_crop({size})',
      ]
    else:
      ops = [f'resize({size}{how})']
      if self.crop_fraction < 1:
        ops.insert(0, f'central_fraction({self.crop_fraction:g})')
    return '|'.join([*ops, self.normalize_op()])

  def normalize_op(self) -> str:
    """The last ops of every op string: channel order and value range."""
    swap = 'bgr|' if self.channel_order == 'bgr' else ''
    low, high = self.value_range()
    if len(set(low)) == len(set(high)) == 1:
      return f'{swap}value_range({low[0]:g}, {high[0]:g})'
    return f'{swap}normalize({_numbers(self.mean)}, {_numbers(self.std)})'

  def renormalised(self, images: np.ndarray, other: 'Contract') -> np.ndarray:
    """Images (..., 3) prepared by this contract, with the mean and std of another."""
    mean, std, to_mean, to_std = map(
      np.float32, (self.mean, self.std, other.mean, other.std)
    )
    return (images * (std / to_std) + (mean - to_mean) / to_std).astype(np.float32)

  def value_range(self) -> tuple[list[float], list[float]]:
    """The lowest and the highest value of each channel that an image can have."""
    mean, std = np.asarray(self.mean), np.asarray(self.std)
    # Rounded: (1 - 0.5) / 0.5 and the like, for people to read.
    return ((0 - mean) / std).round(6).tolist(), ((1 - mean) / std).round(6).tolist()

  def complaint(self, images: np.ndarray) -> str | None:
    """What is wrong with a batch (N, H, W, 3) by its range; None if nothing.

    Only values outside are found: 0..1 where -1..1 is declared may be bright images.
    """
    low, high = self.value_range()
    lowest, highest = float(images.min()), float(images.max())
    slack = 0.25 * (max(high) - min(low))  # bicubic resizing overshoots
    if min(low) - slack <= lowest and highest <= max(high) + slack:
      return None
    return (
      f'images have values {lowest:.3g} to {highest:.3g}, the weights were trained on '
      f'{min(low):.3g} to {max(high):.3g}: end the op string with {self.normalize_op()}'
    )

  def as_dict(self) -> dict[str, Any]:
    """Strings, numbers and lists alone, as JSON and configs hold them."""
    fields = dataclasses.asdict(self)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}


def make_contract(fields: Mapping[str, Any], start: Contract | None = None) -> Contract:
  """A contract of the given fields, the others as in `start`.

  Raises:
    WeightsError: a field does not exist or has a value it cannot have.
  """
  start = start or Contract()
  known = {
    field.name: getattr(start, field.name) for field in dataclasses.fields(start)
  }
  for name, value in fields.items():
    if name not in known:
      near = difflib.get_close_matches(name, known, n=1)
      hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(known)}'
      raise WeightsError(f'contract field {name!r} does not exist; {hint}')
    known[name] = tuple(value) if isinstance(value, (list, tuple)) else value
  contract = Contract(**known)
  _check(contract)
  return contract


def _check(contract: Contract) -> None:
  for name, choices in {
    'resize': RESIZES,
    'interpolation': INTERPOLATIONS,
    'channel_order': CHANNEL_ORDERS,
  }.items():
    value = getattr(contract, name)
    if value not in choices:
      raise WeightsError(
        f'contract {name} is {value!r}: it must be one of {", ".join(choices)}'
      )
  for name in ('mean', 'std'):
    value = getattr(contract, name)
    numbers = isinstance(value, tuple) and all(_is_number(part) for part in value)
    if not numbers or len(value) != 3 or (name == 'std' and min(value) <= 0):
      positive = 'positive ' if name == 'std' else ''
      raise WeightsError(
        f'contract {name} is {value!r}: three {positive}numbers, one per channel'
      )
  if not _is_number(contract.crop_fraction) or not 0 < contract.crop_fraction <= 1:
    raise WeightsError(
      f'contract crop_fraction is {contract.crop_fraction!r}: it must be in (0, 1]'
    )
  for name, lowest in (('resolution', 1), ('label_offset', 0)):
    value = getattr(contract, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
      raise WeightsError(
        f'contract {name} is {value!r}: a whole number, at least {lowest}'
      )


def _is_number(value) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(values) -> str:
  return '(' + ', '.join(f'{value:g}' for value in values) + ')'

"""The value range of a network's images, by all that its file says."""

from typing import Any

import numpy as np

from mobilenet.weights.contract import Contract

IMAGENET = Contract((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# What a quantised input's range is compared with: -1..1, 0..1, 0..255, ImageNet's.
USUAL = (
  Contract(),
  Contract((0.0,) * 3, (1.0,) * 3),
  Contract((0.0,) * 3, (1 / 255,) * 3),
  IMAGENET,
)
# Of a range, that its ends may be off: they are rounded, and those of the images of
# calibration.
SLACK = 0.05
LARGEST_STD = 2.0  # of values in 0..1; of pixels it is some 50 to 255


def mean_and_std(metadata: dict[str, Any]) -> dict[str, list[float]]:
  """mean and std of values in 0..1, as a contract has them; {} if nothing is said.

  Args:
    metadata: of a `WeightFile`: 'normalisation' or 'input_range' say what comes before
      the graph, 'rescaling' or 'input_scale' and 'input_offset' what is its first part.
  """
  if 'normalisation' in metadata:
    mean, std = (np.array(metadata['normalisation'][n]) / 255 for n in ('mean', 'std'))
  elif usual := _of_range(metadata):
    mean, std = np.array(usual.mean), np.array(usual.std)
  else:
    mean = std = None
  scale, offset = metadata.get('rescaling') or (
    metadata.get('input_scale'),
    metadata.get('input_offset', 0.0),
  )
  if scale is not None:
    scale, offset = np.array(scale), np.array(offset)
    if mean is None:  # what is scaled is in 0..1 or in 0..255: the factor tells
      mean, std = 0.0, 1.0 if np.max(1 / scale) <= LARGEST_STD else 1 / 255
    mean, std = mean - offset * std / scale, std / scale
  if mean is None:
    return {}
  return {'mean': _three(mean), 'std': _three(std)}


def unusual_range(metadata: dict[str, Any]) -> str | None:
  """What is to be said of a quantised input whose range is none of the usual ones."""
  if 'input_range' not in metadata or _of_range(metadata):
    return None
  low, high = metadata['input_range']
  return (
    f'the file is quantised for images from {low:.3g} to {high:.3g}, which is no usual '
    'range'
  )


def _of_range(metadata: dict[str, Any]) -> Contract | None:
  """The usual scaling whose lowest and highest values a quantised input can have."""
  for contract in USUAL:
    lows, highs = contract.value_range()
    ends = min(lows), max(highs)
    slack = SLACK * (ends[1] - ends[0])
    if np.allclose(metadata.get('input_range', np.inf), ends, rtol=0, atol=slack):
      return contract
  return None


def _three(value) -> list[float]:
  return np.broadcast_to(np.ravel(value), 3).tolist()

"""Weights that are stored as whole numbers: what they stand for, and how far off.

A network is used as float32 here, whatever its file holds; what rounding took from the
weights is gone, and how much that was can be said.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

# The lowest and the highest number of each dtype.
LIMITS = {
  **{f'int{n}': (-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (4, 8, 16, 32, 64)},
  **{f'uint{n}': (0, 2**n - 1) for n in (4, 8, 16, 32)},
}
# Rounding to a step leaves an error that is uniform over it: step / sqrt(12) in the
# root mean square.
UNIFORM = 12**-0.5
FLOAT16 = 2.0**-10 * UNIFORM  # its step, relative to a value just above a power of two


@dataclasses.dataclass(frozen=True)
class Quantisation:
  """Numbers q that stand for scale * (q - zero).

  dtype: of the numbers: 'int8'.
  scale, zero: (1,) for the whole array, or (n,), one for each slice along `axis`.
  """

  dtype: str
  scale: np.ndarray
  zero: np.ndarray
  axis: int = 0

  def real(self, stored: np.ndarray) -> np.ndarray:
    """What the numbers stand for, float32, each rounded once.

    Raises:
      ValueError: the array has not as many slices as there are scales.
    """
    scale, zero = (
      self._along(values, stored.ndim) for values in (self.scale, self.zero)
    )
    return (scale * (stored.astype(np.float64) - zero)).astype(np.float32)

  def range(self) -> tuple[float, float]:
    """The lowest and the highest value that can be stored, of the first slice."""
    scale, zero = float(self.scale[0]), int(self.zero[0])
    low, high = LIMITS[self.dtype]
    return scale * (low - zero), scale * (high - zero)

  def error(self, real: np.ndarray) -> float:
    """What rounding has changed an array by, estimated, relative to its size.

    Both are root mean squares; the error is that of `UNIFORM` rounding.
    """
    steps = np.broadcast_to(self._along(self.scale, real.ndim), real.shape)
    size = np.sqrt(np.mean(np.square(real, dtype=np.float64)))
    rounding = UNIFORM * np.sqrt(np.mean(np.square(steps, dtype=np.float64)))
    return float(rounding / size) if size else 0.0

  def _along(self, values: np.ndarray, ndim: int) -> np.ndarray:
    if len(values) == 1:
      return values.reshape(())
    return values.reshape([-1 if n == self.axis else 1 for n in range(ndim)])


def note(rounded: Mapping[str, tuple[str, float]]) -> str | None:
  """What is said of a file whose kernels were rounded; None if none was.

  Args:
    rounded: layer -> (dtype, relative error) of its kernel: `Quantisation.error`, or
      `FLOAT16`.
  """
  if not rounded:
    return None
  dtypes = ', '.join(sorted({dtype for dtype, _ in rounded.values()}))
  if dtypes == 'float16':
    return 'the file holds float16 weights: each is off by up to 0.05 %'
  worst = max(rounded, key=lambda layer: rounded[layer][1])
  typical = float(np.median([error for _, error in rounded.values()]))
  return (
    f'the file holds {dtypes} weights, used as float32 here: rounding has changed the '
    f'kernels by {100 * typical:.2g} % of their size (estimated, median of '
    f'{len(rounded)} layers; {100 * rounded[worst][1]:.2g} % in layer {worst}); the '
    'accuracy that it cost is not restored'
  )

"""What a search is to stay below, as a person types it: '0.7x', '5.2 ms', '4 MB'."""

import math
import re
from typing import NamedTuple

from mobilenet.training.errors import TrainingError, require

MS, MULTIPLY_ADDS, PARAMETERS, BYTES = 'ms', 'multiply-adds', 'parameters', 'bytes'
SHARE = 'x'
# What may be typed -> the cost's unit, and how many of it that is.
UNITS = {
  'ms': (MS, 1),
  'multiply-adds': (MULTIPLY_ADDS, 1),
  'k multiply-adds': (MULTIPLY_ADDS, 1e3),
  'M multiply-adds': (MULTIPLY_ADDS, 1e6),
  'G multiply-adds': (MULTIPLY_ADDS, 1e9),
  'parameters': (PARAMETERS, 1),
  'k parameters': (PARAMETERS, 1e3),
  'M parameters': (PARAMETERS, 1e6),
  'bytes': (BYTES, 1),
  'kB': (BYTES, 1e3),
  'MB': (BYTES, 1e6),
}
EXAMPLES = {
  MS: '5.2 ms',
  MULTIPLY_ADDS: '150 M multiply-adds',
  PARAMETERS: '2.1 M parameters',
  BYTES: '4 MB',
}
# Unit -> how amounts of it are written, and how many of it that is.
_WRITTEN = {
  MS: ('ms', 1),
  MULTIPLY_ADDS: ('M multiply-adds', 1e6),
  PARAMETERS: ('k parameters', 1e3),
  BYTES: ('kB', 1e3),
}
_TYPED = re.compile(r'\s*([-+]?(?:[\d.,]+(?:e[-+]?\d+)?|nan|inf\w*))\s*(.*?)\s*', re.I)


def written(unit: str) -> tuple[str, float]:
  """('M multiply-adds', 1e6): how amounts of a unit are written, and what one is."""
  return _WRITTEN[unit]


def field(name: str, unit: str) -> str:
  """'predicted' -> 'predicted_ms', 'predicted_multiply_adds': a key of a record."""
  return f'{name}_{unit.replace("-", "_")}'


class Budget(NamedTuple):
  """value: in `unit`, a cost's, or in shares ('x') of the network a search starts from.

  text: as it was typed.
  """

  value: float
  unit: str
  text: str

  def of(self, start: float) -> float:
    """In the cost's unit, for a search from a network that costs `start`."""
    return self.value * start if self.unit == SHARE else self.value


def parse_budget(text: str, unit: str) -> Budget:
  """Reads a budget for a cost in `unit`.

  Args:
    text: '0.7x', '5.2 ms', '150 M multiply-adds', '2.1 M parameters', '4 MB'.
    unit: of the cost.

  Raises:
    TrainingError: no number, none above zero, no unit, or that of another cost.
  """
  allowed = f"'{EXAMPLES[unit]}', or '0.7x' for a share of the network it starts from"
  found = _TYPED.fullmatch(text)
  try:
    value = float(found[1])
  except (TypeError, ValueError):
    raise TrainingError(
      f'budget {text!r} does not begin with a number: type {allowed}'
    ) from None
  require(
    0 < value < math.inf,
    f'budget {text!r} must be above zero and finite: type {allowed}',
  )
  name = ' '.join(found[2].split())
  require(name != '', f'budget {text!r} has no unit: type {allowed}')
  if name == SHARE:
    return Budget(value, SHARE, text)
  require(name in UNITS, f'budget {text!r} has an unknown unit: type {allowed}')
  own, factor = UNITS[name]
  require(
    own == unit,
    f'budget {text!r} is in {own}, and what is counted here is {unit}: type {allowed}, '
    f'or choose a cost in {own}',
  )
  return Budget(value * factor, unit, text)

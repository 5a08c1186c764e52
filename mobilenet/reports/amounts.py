"""Numbers as people read them; a dash where there is nothing to measure."""

import math

NOTHING = '–'


def number(value: float | None, digits: int = 1, unit: str = '') -> str:
  """12.345 -> '12.3'; None and NaN -> '–'."""
  if value is None or math.isnan(value):
    return NOTHING
  return f'{value:,.{digits}f}{unit}'


def percent(value: float | None, digits: int = 1) -> str:
  """97.312, which is in percent -> '97.3 %'; None and NaN -> '–'."""
  return number(value, digits, ' %')


def share(value: float | None, digits: int = 1) -> str:
  """.97312 -> '97.3 %'; None and NaN -> '–'."""
  return percent(None if value is None else 100 * value, digits)

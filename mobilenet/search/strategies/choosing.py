"""Which proposal is taken: what it loses against what it saves."""

import math
from collections.abc import Mapping

RATIO, ACCURACY = 'ratio', 'accuracy'
CHOOSE = (RATIO, ACCURACY)
LOSS = 'loss'


def badness(metrics: Mapping[str, float], score: str) -> float:
  """How bad a network is: its loss, or less than nothing for a metric; inf for NaN."""
  value = metrics[score]
  if math.isnan(value):
    return math.inf
  return value if score == LOSS else -value


def rank(rise: float, saved: float, choose: str) -> float:
  """A proposal's place: the smallest is taken.

  'accuracy' is NetAdapt's own rule (1804.03230): what loses least. 'ratio' is V3's
  (1905.02244, section 4.2): the least lost for what is saved. Where nothing is lost,
  the quotient would prefer the smaller saving: there the product counts.

  Args:
    rise: of the badness, against the network without the proposal's cut.
    saved: of the cost; above zero.
    choose: of `CHOOSE`.
  """
  if choose == ACCURACY:
    return rise
  return rise / saved if rise > 0 else rise * saved

"""Whether two networks differ by more than chance on the same photos.

Only photos that one of them names rightly and the other wrongly tell them apart. If
both were equally good, each such photo would fall to either side like a coin: McNemar's
test (1947), here exact, by the binomial distribution, and two-sided.
"""

from collections.abc import Sequence

CHANCE = 0.05  # a smaller p is called more than chance


def exact(only_first: int, only_second: int) -> float:
  """The two-sided exact p.

  Args:
    only_first: photos that the first network alone names rightly.
    only_second: photos that the second alone names rightly.

  Returns:
    How likely a split at least as uneven is by chance, in (0, 1]; 1 where the networks
    never differ.
  """
  fewer, total = min(only_first, only_second), only_first + only_second
  ways = term = 1  # of `total` coins, ways in which at most `fewer` fall to one side
  for k in range(fewer):
    term = term * (total - k) // (k + 1)
    ways += term
  # Whole numbers: of thousands of photos 2**total is beyond a float, the ratio is not.
  return min(1.0, 2 * ways / 2**total)


def holm(values: Sequence[float]) -> list[float]:
  """p values of several tests, raised so that they can be read together (Holm, 1979).

  Of 20 comparisons without any difference one falls below 0.05 by chance. Of these, one
  does so in 20 such tables.
  """
  order = sorted(range(len(values)), key=values.__getitem__)
  adjusted, least = [0.0] * len(values), 0.0
  for rank, place in enumerate(order):
    least = max(least, min(1.0, values[place] * (len(values) - rank)))
    adjusted[place] = least
  return adjusted

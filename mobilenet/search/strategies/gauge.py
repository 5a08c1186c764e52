"""What the networks of a search cost: predicted from their rows, or measured whole."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence

from mobilenet.models import table
from mobilenet.models.rows import Network
from mobilenet.search.costs import budget
from mobilenet.search.costs.cost import Cost
from mobilenet.search.strategies import proposals
from mobilenet.training import units
from mobilenet.training.errors import require

HERE = ('milliseconds', 'tflite')  # kinds that are measured on this machine
_TURNS = 3  # of a whole network: a program alone may be 5 % off
_BETWEEN = 8  # networks that a correction is fitted to, besides the two ends


@dataclasses.dataclass
class Gauge:
  """A cost, and what is known of it in a search.

  cost: of `costs.make`. here: whether it is measured on this machine; other costs of
  networks are told from their rows. start: the network that the search starts from.
  like: rows as text -> a network that is computed as the start is. start_cost: of the
  start. wholes: (rows, cost) of what was measured, the latest last.
  """

  cost: Cost
  here: bool
  start: Network
  like: Callable[[str], Network]
  start_cost: float = 0.0
  wholes: list[tuple[str, float]] = dataclasses.field(default_factory=list)

  def begin(self, least: Network, seed: int) -> float:
    """Learns what the start costs, and how its rows tell that of other networks.

    Returns:
      The cost of `least`, the smallest network.
    """
    if not self.here:
      self.start_cost, smallest = self.cost.predict([self.start, least])
      return smallest
    networks = [least, *proposals.scattered(self.start, _BETWEEN, seed)]
    smallest, *values = self.cost.measure([*networks, *[self.start] * _TURNS])
    between, own = values[:_BETWEEN], values[_BETWEEN:]
    self.start_cost = statistics.median(own)
    measured = [smallest, *between, self.start_cost]
    texts = map(table.to_text, [*networks, self.start])
    self.wholes = [*zip(texts, measured, strict=True)]
    self.fit()
    return smallest

  def resume(self, start_cost: float, wholes: Sequence[tuple[str, float]]) -> None:
    """Takes over what was known when a state was saved.

    Raises:
      TrainingError: a table that was measured elsewhere is another now.
    """
    self.start_cost, self.wholes = start_cost, list(wholes)
    if self.here:
      self.fit()
      return
    (now,) = self.cost.predict([self.start])
    require(
      math.isclose(now, start_cost, rel_tol=1e-9),
      f'the start costs {self.said(now)} by the table that is here, and '
      f'{self.said(start_cost)} by the one that the search began with: give that back '
      '(lines may be added, but not of whole networks), or choose another --workdir',
    )

  def measure(self, network: Network) -> float:
    """The cost of a whole network, beside the start: so it is one of the same machine.

    Asked again at once, the mean of both. Predictions are exact there afterwards.
    """
    if not self.here:
      return self.predict([network])[0]
    start, value = self.together([self.start, network])
    value *= self.start_cost / start
    text = table.to_text(network)
    if self.wholes and self.wholes[-1][0] == text:
      value = (value + self.wholes.pop()[1]) / 2
    self.wholes.append((text, value))
    self.fit()
    return value

  def together(self, networks: Sequence[Network]) -> list[float]:
    """The costs of whole networks at one time."""
    if not self.here:
      return self.predict(networks)
    values = self.cost.measure([*networks] * _TURNS)
    return [statistics.median(values[n :: len(networks)]) for n in range(len(networks))]

  def predict(self, networks: Sequence[Network]) -> list[float]:
    """The costs of networks from their rows."""
    factor = self._factor() if self.here else 1.0
    return [factor * value for value in self.cost.predict(networks)]

  def fit(self) -> None:
    """Fits sums of rows to `wholes`."""
    networks = [self.like(text) for text, _ in self.wholes]
    self.cost.fit(networks, [value for _, value in self.wholes])

  def said(self, value: float) -> str:
    """'3.21 ms', '41.5 M multiply-adds'."""
    unit, factor = budget.written(self.cost.unit)
    return f'{units.decimal(value / factor, 3)} {unit}'

  def field(self, name: str) -> str:
    """'predicted' -> 'predicted_ms', 'predicted_multiply_adds'."""
    return budget.field(name, self.cost.unit)

  def _factor(self) -> float:
    text, value = self.wholes[-1]
    return value / self.cost.predict([self.like(text)])[0]

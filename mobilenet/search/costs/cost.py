"""A cost: networks to numbers, by sums of their rows or as wholes."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mobilenet.models.rows import Network
from mobilenet.search.costs import correction, parts, wanted
from mobilenet.search.costs.correction import Correction
from mobilenet.search.costs.parts import Part


@dataclasses.dataclass
class Cost:
  """What networks cost, in one unit; `costs.make` makes them.

  unit: of `budget.EXAMPLES`.
  resolution: px, and num_classes: of the networks.
  of_parts: (rows and heads, a whole network) -> numbers in the unit.
  of_wholes: whole networks -> numbers; None where a network is the sum of its rows.
  note: what is to be told to whoever reads the numbers; or ''.
  style: fields of `rows.Style` that all networks are given.
  plus: what a network costs besides its rows.
  known: the correction where there is nothing to fit.
  folder: of the correction; None keeps none.
  belongs: gives what a correction is fitted to.
  lacks: whether a part's cost would have to be measured by a person.
  """

  unit: str
  resolution: int
  num_classes: int
  of_parts: Callable[[Sequence[Part], Part], list[float]]
  of_wholes: Callable[[Sequence[Part]], list[float]] | None = None
  note: str = ''
  style: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  plus: float = 0.0
  known: Correction | None = None
  folder: pathlib.Path | None = None
  belongs: Callable[[], dict[str, Any]] = dict
  lacks: Callable[[Part], bool] = lambda part: True

  def __post_init__(self):
    self.correction = None
    if self.folder is not None:
      self.correction = correction.load(self.folder, self.belongs())

  def predict(self, networks: Sequence[Network]) -> list[float]:
    """The cost of each network from its rows, with the correction if there is one.

    Raises:
      TrainingError: the cost of a row cannot be had.
    """
    sums = self.sums(networks)
    return [self.correction(each) for each in sums] if self.correction else sums

  def measure(self, networks: Sequence[Network]) -> list[float]:
    """The cost of each network as a whole.

    Raises:
      TrainingError: it cannot be had.
    """
    if self.of_wholes is None:
      return self.sums(networks)
    return self.of_wholes([self._whole(each) for each in networks])

  def fit(
    self, networks: Sequence[Network], measured: Sequence[float] | None = None
  ) -> Correction:
    """Fits what takes sums of rows to whole networks, and keeps it.

    Args:
      networks: some that differ.
      measured: what `measure` gave of them; None measures them.

    Raises:
      TrainingError: a cost cannot be had, or there is no such line.
    """
    if self.known is not None:
      return self.known
    sums = self.sums(networks)
    measured = self.measure(networks) if measured is None else measured
    self.correction = correction.fit(sums, measured)
    if self.folder is not None:
      correction.save(self.folder, self.correction, self.belongs())
    return self.correction

  def sums(self, networks: Sequence[Network]) -> list[float]:
    """The bare sums of the rows of each network, and `plus`."""
    if not networks:
      return []
    of_each = [self.parts_of(each) for each in networks]
    distinct = list(dict.fromkeys(part for own in of_each for part in own))
    values = self.of_parts(distinct, self._whole(networks[0]))
    value_of = dict(zip(distinct, values, strict=True))
    return [self.plus + sum(value_of[part] for part in own) for own in of_each]

  def said(self) -> str:
    """How predictions are made of sums of rows, in a line for people."""
    if self.correction is None:
      return 'the bare sums of rows: no whole networks were measured'
    return f'a whole network takes {self.correction.said(self.unit)}'

  def write_wanted(
    self,
    networks: Sequence[Network],
    path: pathlib.Path,
    wholes: Sequence[Network] = (),
    files: pathlib.Path | None = None,
  ) -> int:
    """Adds to a CSV rows that are to be measured on a device, ms left empty.

    Args:
      networks: whose rows are wanted.
      path: of the CSV; what it has already stays.
      wholes: networks that are wanted as wholes, for a correction.
      files: a folder, where each line that is not measured gets its TFLite file; None
        writes none.

    Returns:
      The number of lines to be measured; without any, nothing is written.

    Raises:
      TrainingError, ExportError: a file cannot be written.
    """
    asked = [part for each in networks for part in self.parts_of(each)]
    asked += [self._whole(each) for each in wholes]
    return wanted.add(wanted.records_of(filter(self.lacks, asked)), path, files)

  def parts_of(self, network: Network) -> tuple[Part, ...]:
    """The rows of a network and its head, as this cost has them."""
    return parts.of(self._styled(network), self.resolution, self.num_classes)

  def _whole(self, network: Network) -> Part:
    return parts.whole(self._styled(network), self.resolution, self.num_classes)

  def _styled(self, network: Network) -> Network:
    style = dataclasses.replace(network.style, **self.style)
    return dataclasses.replace(network, style=style)

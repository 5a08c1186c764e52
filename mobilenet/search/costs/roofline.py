"""Named hardware as a roofline, fitted to what MobileNetV4's paper measured on it.

    ms = sum over layers of (max(multiply-adds / peak, bytes / bandwidth) + layer_ms)
         + network_ms

The maximum is the model of https://arxiv.org/abs/2404.10518, section 4; bytes are those
of a layer's input, output and weights. The times are those of its Table 6, in
`mobilenet.tables.mobilenet_v4`, of eleven networks that are counted here.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mobilenet.models import named
from mobilenet.search import kendall
from mobilenet.search.costs import parts
from mobilenet.search.costs.correction import Correction
from mobilenet.search.costs.parts import Part
from mobilenet.tables import mobilenet_v4
from mobilenet.training.errors import require, unknown_name

# Multiply-adds a byte at which both parts of the maximum are equal, as tried.
RIDGES = np.geomspace(1, 1000, 120)
# A roofline is offered that is so much better than a line through multiply-adds, and
# misses no network by more.
MOST_OF_LINE, MOST_MISSED = 0.75, 33.0


class Roofline(NamedTuple):
  """Constants of a device as `fitted` finds them, and how far off they are.

  column: of the published table, `bits` those of a value there. peak: million
  multiply-adds a ms. bandwidth: MB a ms. layer_ms, network_ms: besides. networks: that
  were published. mean_error, max_error: percent, of each network by a fit to all the
  others. tau: Kendall's, of these with what was published. line_error: the mean error
  of a line through multiply-adds, likewise.
  """

  column: str
  bits: int
  peak: float
  bandwidth: float
  layer_ms: float
  network_ms: float
  networks: int
  mean_error: float
  max_error: float
  tau: float
  line_error: float

  @property
  def offered(self) -> bool:
    better = self.mean_error <= MOST_OF_LINE * self.line_error
    return better and self.max_error <= MOST_MISSED

  def part_ms(self, part: Part) -> float:
    """ms of a row or a head."""
    work = _work([part])
    moved = work[:, 1] * self.bits / 8
    longer = np.maximum(work[:, 0] / self.peak, moved / self.bandwidth) / 1e6
    return float((longer + self.layer_ms).sum())

  def known(self) -> Correction:
    """The errors on the published networks."""
    return Correction(
      a=1.0,
      b=0.0,
      networks=self.networks,
      mean_error=self.mean_error,
      max_error=self.max_error,
      raw_error=self.mean_error,
      tau=self.tau,
    )

  def said(self) -> str:
    """One line for people."""
    return (
      f'a model of {_device(self.column)}, values of {self.bits} bits: '
      f'{self.mean_error:.0f} % off on each of {self.networks} published networks by a '
      f'fit to the others, {self.max_error:.0f} % at most'
    )


# As `fitted` finds them, to four digits.
HARDWARE = {
  #                    column                 bits   peak  MB/ms  a layer   a network
  #                    networks  mean    max     tau  by line
  'pixel6_cpu':
    Roofline('Pixel 6 CPU (ms)',      8, 112.2, 4.101, 0.003566, 0,
                       11, 8.869, 18.75, 0.9349, 15.33),
  'pixel8_edgetpu':
    Roofline('Pixel 8 EdgeTPU (ms)',  8,  3655, 319.2, 0.005077, 0.4124,
                       11, 10.18, 29.92, 0.8009, 12.99),
  'iphone13_coreml':
    Roofline('iPhone 13 CoreML (ms)', 16, 3298, 67.24, 0,        0.2531,
                        9, 15.83, 52.18, 0.8170, 21.02),
  'pixel4_hexagon':
    Roofline('Pixel 4 Hexagon (ms)',  8, 443.9, 7.631, 0.03386,  0,
                        9, 8.111, 15.79, 0.8333, 22.85),
  'pixel7_gpu':
    Roofline('Pixel 7 GPU (ms)',     16, 252.8, 5.155, 0.01534,  5.09,
                       11, 16.02, 43.07, 0.7818, 19.19),
  's23_cpu':
    Roofline('S23 CPU (ms)',          8, 155.6, 4.779, 0.001079, 0,
                       11, 11.30, 24.23, 0.8808, 16.94),
  's23_gpu':
    Roofline('S23 GPU (ms)',         16, 638.4, 34.92, 0.02369,  0.2125,
                       11, 5.836, 12.49, 0.9175, 13.32),
}  # fmt: skip


def named_hardware(name: str) -> Roofline:
  """The roofline of a device.

  Raises:
    TrainingError: there is none, or it is hardly better than counting multiply-adds.
  """
  offered = [name for name, each in HARDWARE.items() if each.offered]
  if name not in HARDWARE:
    raise unknown_name('roofline', name, offered)
  found = HARDWARE[name]
  require(
    found.offered,
    f'roofline:{name} is not offered: on the published networks it is '
    f'{found.mean_error:.0f} % off ({found.max_error:.0f} % at most) where a line '
    f'through multiply-adds is {found.line_error:.0f} % off; take multiply_adds, a '
    f'table measured on the device (csv), or {", ".join(offered)}',
  )
  return found


def fitted(column: str, bits: int) -> Roofline:
  """Fits a roofline to a column of the published table, and leaves each row out once.

  Deterministic: for each of RIDGES the other constants are least squares of relative
  errors, none of them below zero.
  """
  works, ms = published(column)
  ridge, (slope, layer_ms, network_ms) = _fit(works, ms)
  totals = [np.array([[work[:, 0].sum(), 0.0]]) for work in works]
  guesses, by_line = _left_out(works, ms, RIDGES), _left_out(totals, ms, (1.0,))
  errors = 100 * np.abs(guesses / ms - 1)
  peak = 1e-6 / slope
  return Roofline(
    column=column,
    bits=bits,
    peak=float(peak),
    bandwidth=float(peak / ridge * bits / 8),
    layer_ms=float(layer_ms),
    network_ms=float(network_ms),
    networks=len(ms),
    mean_error=float(errors.mean()),
    max_error=float(errors.max()),
    tau=kendall.tau(guesses, ms),
    line_error=float(100 * np.abs(by_line / ms - 1).mean()),
  )


def published(column: str) -> tuple[list[np.ndarray], np.ndarray]:
  """Work of the networks that a column has times of, see `_work`, and these times."""
  place, works, times = mobilenet_v4.DEVICES.index(column), [], []
  for row in mobilenet_v4.ROWS:
    ms = row.other.split()[place]
    if ms != '-':
      network = named.create(row.model, width=row.width, num_classes=1000).network
      works.append(_work(parts.of(network, row.resolution, 1000)))
      times.append(float(ms))
  return works, np.array(times)


def _work(of: Sequence[Part]) -> np.ndarray:
  """(layers, 2): multiply-adds, and values read or written, of all layers of parts."""
  layers = [layer for part in of for layer in parts.count(part).layers]
  rows = [
    (
      layer.multiply_adds,
      math.prod(layer.input_shape) + math.prod(layer.output_shape) + layer.parameters,
    )
    for layer in layers
  ]
  return np.array(rows, np.float64).reshape(-1, 2)


def _terms(works, ridge: float) -> np.ndarray:
  """(networks, 3): what the slope, layer_ms and network_ms are multiplied with."""
  longer = [np.maximum(work[:, 0], ridge * work[:, 1]).sum() for work in works]
  return np.array([longer, [len(work) for work in works], np.ones(len(works))]).T


def _fit(works, ms, ridges=RIDGES) -> tuple[float, np.ndarray]:
  from scipy.optimize import nnls

  found = []
  for ridge in ridges:
    constants, error = nnls(_terms(works, ridge) / ms[:, None], np.ones(len(ms)))
    found.append((error, ridge, constants))
  _, ridge, constants = min(found, key=lambda one: one[0])
  return float(ridge), constants


def _left_out(works, ms, ridges) -> np.ndarray:
  guesses = []
  for n, work in enumerate(works):
    others = works[:n] + works[n + 1 :]
    ridge, constants = _fit(others, np.delete(ms, n), ridges)
    guesses.append((_terms([work], ridge) @ constants).item())
  return np.array(guesses)


def _device(column: str) -> str:
  return column.removesuffix(' (ms)')

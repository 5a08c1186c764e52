"""From sums of rows to whole networks: a line through networks measured whole."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobilenet.search import json_file, kendall
from mobilenet.training import files
from mobilenet.training.errors import require

FILE = 'correction.json'
FEWEST = 4


@dataclasses.dataclass(frozen=True)
class Correction:
  """A whole network takes a * (sum of its rows) + b.

  b: in the cost's unit. networks: how many it was fitted to. The errors are in percent
  of what was measured: mean_error and max_error of each network by a line through all
  the others (leave one out), raw_error the mean error of the bare sums. tau: Kendall's,
  of the bare sums with what was measured; a line does not change it.
  """

  a: float
  b: float
  networks: int
  mean_error: float
  max_error: float
  raw_error: float
  tau: float

  def __call__(self, total: float) -> float:
    return self.a * total + self.b

  def said(self, unit: str) -> str:
    """One line for people."""
    return (
      f'{self.a:.3f} x sum of rows {self.b:+.3f} {unit}, from {self.networks} networks '
      f'measured whole: {self.mean_error:.1f} % off on one left out, '
      f'{self.max_error:.1f} % at most (bare sums {self.raw_error:.1f} %); Kendall tau '
      f'{self.tau:.2f}'
    )


_FIELDS = [field.name for field in dataclasses.fields(Correction)]
_SHAPE = {**dict.fromkeys(_FIELDS, json_file.NUMBER), 'belongs_to': dict}


def fit(sums: Sequence[float], measured: Sequence[float]) -> Correction:
  """The line with the least squares of errors relative to what was measured.

  Raises:
    TrainingError: too few networks, or networks too alike for a line.
  """
  x, y = (np.asarray(values, np.float64) for values in (sums, measured))
  require(
    len(x) >= FEWEST,
    f'a correction needs {FEWEST} networks or more that are measured whole, not '
    f'{len(x)}',
  )
  a, b = _line(x, y)
  require(
    a > 0,
    f'the {len(x)} networks measured ({y.min():.4g} to {y.max():.4g}) do not take '
    'longer where their rows do: take networks that differ more, or a machine with '
    'less other work',
  )
  left_out = []
  for n in range(len(x)):
    slope, start = _line(np.delete(x, n), np.delete(y, n))
    left_out.append(slope * x[n] + start)
  errors = 100 * np.abs(np.asarray(left_out) / y - 1)
  return Correction(
    a=float(a),
    b=float(b),
    networks=len(x),
    mean_error=float(errors.mean()),
    max_error=float(errors.max()),
    raw_error=float(100 * np.abs(x / y - 1).mean()),
    tau=kendall.tau(x, y),
  )


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
  terms = np.stack([x, np.ones_like(x)], axis=1) / y[:, None]
  return np.linalg.lstsq(terms, np.ones_like(y))[0]


def save(folder: pathlib.Path, found: Correction, belongs: Mapping[str, Any]) -> None:
  """Writes a correction, and what it belongs to, into a folder."""
  content = {**dataclasses.asdict(found), 'belongs_to': dict(belongs)}
  files.replace_file(folder / FILE, (json.dumps(content, indent=2) + '\n').encode())


def load(folder: pathlib.Path, belongs: Mapping[str, Any]) -> Correction | None:
  """The correction of a folder; None where there is none.

  Raises:
    TrainingError: it belongs to something else, or cannot be read.
  """
  path = folder / FILE
  if not path.exists():
    return None
  said = json_file.read(path, _SHAPE, 'remove it and fit again')
  found = Correction(**{name: said[name] for name in _FIELDS})
  require(
    said['belongs_to'] == dict(belongs),
    f'{path} was fitted to another table than the one that is here: remove it and fit '
    'again',
  )
  return found

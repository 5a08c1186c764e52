"""What networks cost: milliseconds, multiply-adds, parameters or bytes.

cost = costs.make('milliseconds', resolution=160, num_classes=5, folder=folder)
cost.fit(some)            # optional: a line from sums of rows to whole networks
cost.predict(networks)    # quick: sums of rows
cost.measure(networks)    # as wholes
costs.parse_budget('0.7x', cost.unit).of(cost.measure([start])[0])
"""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from mobilenet.models import lowering
from mobilenet.models.choices import OF_STYLE
from mobilenet.models.rows import Style
from mobilenet.search.costs import correction, parts, programs, roofline
from mobilenet.search.costs.budget import (
  BYTES,
  MS,
  MULTIPLY_ADDS,
  PARAMETERS,
  Budget,
  parse_budget,
)
from mobilenet.search.costs.correction import Correction
from mobilenet.search.costs.cost import Cost
from mobilenet.search.costs.device import Device
from mobilenet.search.costs.measured import Measured
from mobilenet.training.errors import TrainingError, require, unknown_name

__all__ = ['KINDS', 'Budget', 'Correction', 'Cost', 'make', 'parse_budget']

ROOFLINE = 'roofline:'
# Kind -> what it is, for people.
KINDS = {
  'milliseconds': 'measured here: our own programs, compiled by XLA',
  'tflite': 'measured here: TFLite files by LiteRT (requirements-export.txt)',
  'csv': 'milliseconds from a table that was measured on a device',
  'multiply_adds': 'exact',
  'parameters': 'exact',
  'bytes': 'exact: of parameters and statistics as float32, in a weights file',
  **{
    f'{ROOFLINE}{name}': f'milliseconds by {each.said()}'
    for name, each in roofline.HARDWARE.items()
    if each.offered
  },
}
_COUNTED = {
  'multiply_adds': (MULTIPLY_ADDS, lambda counts: counts.multiply_adds),
  'parameters': (PARAMETERS, lambda counts: counts.parameters),
  'bytes': (BYTES, lambda counts: counts.bytes),
}
_EXACT = Correction(
  a=1.0, b=0.0, networks=0, mean_error=0.0, max_error=0.0, raw_error=0.0, tau=1.0
)


def make(
  kind: str,
  resolution: int = 224,
  num_classes: int = 5,
  *,
  folder: pathlib.Path | None = None,
  table: pathlib.Path | None = None,
  networks: Sequence[str] = (),
  say: Callable[[str], None] = print,
  **style: Any,
) -> Cost:
  """A cost of networks of one resolution and one number of classes.

  Args:
    kind: of `KINDS`.
    resolution: px.
    num_classes: of the classifier.
    folder: where a table that is measured here and its correction are kept.
    table: of kind 'csv', the CSV. Whole networks in it give the correction.
    networks: of kind 'csv', the flags by which `costs.check` knows the networks: what a
      person is told to type where the table lacks something.
    say: is told what takes time.
    **style: fields of `rows.Style` that all networks are given, whatever their own.

  Raises:
    TrainingError: an unknown kind, hardware or style, or a table that cannot be used.
    ExportError: packages for TFLite are not installed.
  """
  hardware = kind.removeprefix(ROOFLINE) if kind.startswith(ROOFLINE) else None
  if hardware is None and kind not in KINDS:
    raise unknown_name('the cost', kind, KINDS)
  for name, value in {'resolution': resolution, 'num_classes': num_classes}.items():
    require(value >= 1, f'{name} of a cost is {value}: it must be at least 1')
  _check(style)
  require(
    (table is not None) == (kind == 'csv'),
    f'the cost {kind} takes no --table: only csv does'
    if table
    else 'the cost csv needs the CSV of what was measured on the device: '
    '--table=phone.csv (docs/search_costs.md says how to make one)',
  )
  shared = {'resolution': resolution, 'num_classes': num_classes}
  if hardware is not None:
    line = roofline.named_hardware(hardware)
    return Cost(
      MS,
      of_parts=lambda of, first: [line.part_ms(part) for part in of],
      plus=line.network_ms,
      known=line.known(),
      note=line.said(),
      style=style,
      **shared,
    )
  if kind in _COUNTED:
    unit, number = _COUNTED[kind]
    return Cost(
      unit,
      of_parts=lambda of, first: [float(number(parts.count(part))) for part in of],
      known=_EXACT,
      style=style,
      **shared,
    )
  if kind == 'csv':
    device = Device(pathlib.Path(table), folder, networks)
    cost = Cost(
      MS,
      of_parts=device.of_parts,
      of_wholes=device.of_parts,
      lacks=device.lacks,
      style=style,
      **shared,
    )
    wholes = [
      (network, milliseconds)
      for network, milliseconds in device.wholes(**shared)
      if not any(map(device.lacks, cost.parts_of(network)))
    ]
    if len(wholes) >= correction.FEWEST:
      try:
        cost.fit(*zip(*wholes, strict=True))
      except TrainingError as error:
        raise TrainingError(f'{device.path}: {error}') from error
    return cost
  require(folder is not None, f'the cost {kind} needs a folder to keep its table in')
  if kind == 'tflite':
    runtime, how = programs.litert(), 'tflite'
    style = {**style, 'dtype': 'float32', 'lowering': 'auto'}
  else:
    runtime, how = programs.jitted(), lowering.choose(style.get('lowering', 'auto'))
    style = {**style, 'lowering': how}
  measured = Measured(pathlib.Path(folder), runtime, how, say)
  return Cost(
    MS,
    of_parts=measured.of_parts,
    of_wholes=measured.of_wholes,
    belongs=measured.belongs,
    folder=pathlib.Path(folder),
    style=style,
    **shared,
  )


def _check(style: dict[str, Any]) -> None:
  fields = [field.name for field in dataclasses.fields(Style)]
  for name, value in style.items():
    if name not in fields:
      raise unknown_name('the style', name, fields)
    if name in OF_STYLE and value not in OF_STYLE[name]:
      raise unknown_name(f'the style {name}', value, OF_STYLE[name])

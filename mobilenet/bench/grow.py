"""How the time of a training step grows with batch, resolution and width; ours only."""

import dataclasses
import pathlib

from mobilenet.bench import drawing, measure
from mobilenet.bench.comparison import Spread, spread
from mobilenet.bench.contenders import NUM_CLASSES, OURS, Model
from mobilenet.bench.measure import Settings
from mobilenet.bench.processes import WorkerError
from mobilenet.models import counting, zoo
from mobilenet.reports import canvas, csv_file

# Axis -> its values; everything else is as the command line sets it.
AXES = {
  'batch': (1, 2, 4, 8, 16, 32, 64),
  'resolution': (96, 128, 160, 192, 224, 256, 288, 320),
  'width': (0.35, 0.5, 0.75, 1.0, 1.4),
}


@dataclasses.dataclass(frozen=True)
class Point:
  """A training step at one value of an axis; multiply-adds are the batch's."""

  axis: str
  value: float
  multiply_adds: int
  spread: Spread


def values_of(axis: str, model: Model) -> tuple[float, ...]:
  """The values at which a network is timed along an axis."""
  networks = zoo.NETWORKS.get(model.name)
  if axis == 'width' and isinstance(networks, dict):
    return tuple(sorted(networks))  # other widths don't exist
  return AXES[axis]


def measure_growth(
  model: Model, settings: Settings, *, start=measure.start
) -> tuple[list[Point], list[str], dict]:
  """Times a step at every value of every axis, each in a process of its own.

  Returns:
    The points, a line for each that failed, and what a worker says of itself.
  """
  points, failures, prepared = [], [], {}
  for axis in AXES:
    for value in values_of(axis, model):
      at, there = model, settings
      if axis == 'width':
        at = dataclasses.replace(model, width=value)
      else:
        there = dataclasses.replace(settings, **{axis: value})
      settings.say(f'{model.label}, grow: {axis} {value:g}')
      spec = measure.make_spec(OURS, at, 'train', there)
      try:
        with start(spec, there) as worker:
          prepared = worker.ask('prepare')
          times = worker.ask('time', repeats=settings.rounds, lead=1)['ms']
      except WorkerError as error:
        failures.append(f'{model.label} at {axis} {value:g}: {error}')
        continue
      network = zoo.create(
        at.name, width=at.width, table=at.table, num_classes=NUM_CLASSES
      )
      multiply_adds = counting.count(network, there.resolution)[1] * there.batch
      points.append(Point(axis, value, multiply_adds, spread(times)))
  return points, failures, prepared


def write(
  model: Model,
  points: list[Point],
  settings: Settings,
  out: pathlib.Path,
  environment: dict[str, str],
) -> str | None:
  """Writes grow-MODEL.csv and .png; returns the figure's name; None without points."""
  if not points:
    return None
  stem = f'grow-{model.label.replace(":", "_")}'
  records = [
    {
      'model': model.label,
      'axis': point.axis,
      'value': point.value,
      'multiply_adds': point.multiply_adds,
      'ms_median': point.spread.median,
      'ms_low': point.spread.low,
      'ms_high': point.spread.high,
      **environment,
    }
    for point in points
  ]
  csv_file.write_records(out / f'{stem}.csv', records)
  axes = {}
  for point in points:
    triple = (point.value, point.multiply_adds, point.spread)
    axes.setdefault(point.axis, []).append(triple)
  reference = {
    'batch': settings.batch,
    'resolution': settings.resolution,
    'width': model.width,
  }
  caption = (
    f'{model.label}, batch {settings.batch}, {settings.resolution} px, '
    f'{settings.dtype}; {environment["machine"]}'
  )
  canvas.save_png(drawing.grown(axes, reference, caption), out / f'{stem}.png')
  return f'{stem}.png'

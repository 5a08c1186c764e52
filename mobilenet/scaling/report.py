"""What a compiled step means for a slice: does it fit, and what bounds its speed."""

from typing import NamedTuple

from ml_collections import ConfigDict

from mobilenet.scaling.cost import Cost
from mobilenet.scaling.topology import Slice

# A JPEG of ILSVRC2012's training split, on average: the archive's 147,897,477,120 bytes
# by its 1,281,167 images.
JPEG_BYTES = 115_000


class Bounds(NamedTuple):
  """Seconds that a step takes at least, by what the documentation states of a chip.

  Each alone: arithmetic at the peak rate, memory traffic as XLA counts it at the full
  rate, collectives over all links. A real step takes longer than the longest.
  """

  arithmetic: float
  memory: float
  links: float

  @property
  def step(self) -> float:
    return max(self)


def bounds(cost: Cost, place: Slice) -> Bounds:
  device = place.device
  return Bounds(
    cost.operations / device.peak,
    cost.memory_traffic / device.memory_rate,
    sum(entry.sent for entry in cost.collectives) / device.link_rate,
  )


def fits(cost: Cost, place: Slice) -> bool:
  return cost.memory <= place.device.memory


def lines(config: ConfigDict, cost: Cost, place: Slice) -> list[str]:
  """What a person should know of a step, a line each."""
  least, devices = bounds(cost, place), len(place.devices)
  rate = config.batch_size / least.step
  a_host = rate / place.hosts
  decoded = config.resolution**2 * 3 * 4
  shared = f'{config.shards} share a state' if config.shards > 1 else 'a state on each'
  sent = sum(entry.sent for entry in cost.collectives)
  told = ', '.join(
    f'{entry.count} {entry.kind} ({_size(entry.bytes)})' for entry in cost.collectives
  )
  return [
    f'{_named(config)}: {cost.parameters:,} parameters, {cost.multiply_adds:,} '
    'multiply-adds',
    f'{place.name}: {devices} devices of {place.hosts} hosts, {shared}; '
    f'{_batch(config, devices)}',
    f'memory of a device: {_size(cost.memory)} of {_size(place.device.memory)} '
    f'({_size(cost.arguments)} state and batch, {_size(cost.temporaries)} besides)',
    f'a step of a device: {cost.operations / 1e9:,.0f} GFLOP, '
    f'{_size(cost.memory_traffic)} to and from memory',
    f'between devices: {told or "nothing"}; {_size(sent)} through the links of each',
    f'a step takes at least {_time(least.step)}: {_time(least.arithmetic)} for '
    f'arithmetic, {_time(least.memory)} for memory, {_time(least.links)} for links',
    f'so at most {rate:,.0f} images/s; each host must then bring {a_host:,.0f} of '
    f"them: {_size(a_host * JPEG_BYTES)}/s of JPEGs such as ImageNet's, "
    f'{_size(a_host * decoded)}/s decoded',
    f'a checkpoint: {_size(cost.checkpoint)}',
  ]


HEADER = (
  '| network | devices | a device | memory | besides the state | between devices | '
  'least step | arithmetic / memory / links | at most | a checkpoint |\n'
  '|---|---|---|---|---|---|---|---|---|---|'
)


def row(config: ConfigDict, cost: Cost, place: Slice) -> str:
  """The same as a row of a Markdown table, below `HEADER`."""
  least, devices = bounds(cost, place), len(place.devices)
  sent = sum(entry.sent for entry in cost.collectives)
  each = ' / '.join(_time(part) for part in least)
  state = f', {config.shards} share a state' if config.shards > 1 else ''
  return (
    f'| {_named(config)} | {place.name}, {devices}{state} | '
    f'{_batch(config, devices)} | {_size(cost.memory)} | {_size(cost.temporaries)} | '
    f'{_size(sent)} | {_time(least.step)} | {each} | '
    f'{config.batch_size / least.step:,.0f} images/s | {_size(cost.checkpoint)} |'
  )


def _named(config: ConfigDict) -> str:
  return (
    f'{config.model.name} x{config.model.width:g}, {config.resolution} px, '
    f'{config.model.dtype}'
  )


def _batch(config: ConfigDict, devices: int) -> str:
  images = config.batch_size // (devices * config.accumulate)
  parts = f' in {config.accumulate} parts' if config.accumulate > 1 else ''
  return f'{images * config.accumulate:,} images{parts}'


def _time(seconds: float) -> str:
  return f'{seconds * 1e3:.3g} ms'


def _size(count: float) -> str:
  for unit in ('B', 'KiB', 'MiB', 'GiB'):
    if count < 1024 or unit == 'GiB':
      return f'{count:,.3g} {unit}' if count < 1000 else f'{count:,.0f} {unit}'
    count /= 1024
  raise AssertionError

"""What is computed of a network here: its counts, and the time for one image."""

import collections
import functools
import os
import statistics
import time
from collections.abc import Iterable
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np

from mobilenet.models import counting, named
from mobilenet.models.initial import init_variables
from mobilenet.tables.rows import Options, Row, Size

ROUNDS = 30


class Sized(NamedTuple):
  """A named network at a size; the options are of `named.create`.

  trunk: whether its head does not count.
  """

  model: str
  width: float
  resolution: Size
  options: Options = ()
  trunk: bool = False

  def make(self) -> nn.Module:
    return named.create(self.model, width=self.width, **dict(self.options))

  def layers(self, model: nn.Module, resolution: Size) -> list[counting.Layer]:
    """The layers of its `model` that count."""
    layers = counting.layers(model, resolution)
    return [one for one in layers if not (self.trunk and one.name.startswith('head/'))]


class Counts(NamedTuple):
  """norms: of the parameters, those of BatchNorm."""

  parameters: int
  multiply_adds: int
  norms: int


_COUNTS: dict[Sized, Counts] = {}


def of_row(row: Row) -> Sized:
  """The network of a row that has one."""
  return Sized(row.model, row.width, row.resolution, row.options, row.trunk)


def count(network: Sized) -> Counts:
  """What is counted of a network; a classifier has 1,000 classes."""
  return count_all([network])[network]


def count_all(networks: Iterable[Sized]) -> dict[Sized, Counts]:
  """`count` of many networks, with one trace for each two resolutions of a network.

  Tracing takes most of the time. Layers treat rows and columns separately, so at
  a x b px a map has the height that it has at a px, and the width that it has at b px.
  """
  networks = list(dict.fromkeys(networks))
  sizes = collections.defaultdict(list)
  for network in networks:
    if network in _COUNTS:
      continue
    if isinstance(network.resolution, int):
      sizes[network._replace(resolution=0)].append(network.resolution)
    else:
      _COUNTS[network] = _counts(network.layers(network.make(), network.resolution))
  for network, resolutions in sizes.items():
    for two in (resolutions[n : n + 2] for n in range(0, len(resolutions), 2)):
      model = network.make()
      layers = network.layers(model, (two[0], two[-1]))
      if any(layer.kind == 'attention' for layer in layers):  # mixes rows and columns
        for resolution in two:
          _COUNTS[network._replace(resolution=resolution)] = _counts(
            network.layers(model, resolution)
          )
        continue
      for axis, resolution in ((0, two[0]), (1, two[-1])):
        _COUNTS[network._replace(resolution=resolution)] = _counts(layers)._replace(
          multiply_adds=sum(_square(layer, axis) for layer in layers)
        )
  return {network: _COUNTS[network] for network in networks}


def _counts(layers: list[counting.Layer]) -> Counts:
  norms = sum(layer.parameters for layer in layers if layer.kind == 'norm')
  return Counts(*counting.totals(layers), norms)


def _square(layer: counting.Layer, axis: int) -> int:
  """Multiply-adds of a layer if its map were square, of the size along `axis`."""
  if len(layer.output_shape) < 3:
    return layer.multiply_adds
  height, width, _ = layer.output_shape
  return layer.multiply_adds // (height * width) * layer.output_shape[axis] ** 2


@functools.cache
def latency(sized: Sized) -> float:
  """Median milliseconds of the outputs of one image: jitted, compiled before, float32.

  The image and the weights are made up; neither changes the time.
  """
  network, size = sized.make(), sized.resolution
  shape = (*((size, size) if isinstance(size, int) else size), 3)
  variables = jax.device_put(init_variables(network, shape, seed=0))
  image = np.random.default_rng(0).standard_normal((1, *shape), np.float32)
  image = jax.device_put(image)
  apply = jax.jit(lambda v, x: network.apply(v, x, train=False))
  for _ in range(3):
    jax.block_until_ready(apply(variables, image))
  times = []
  for _ in range(ROUNDS):
    began = time.perf_counter()
    jax.block_until_ready(apply(variables, image))
    times.append(1e3 * (time.perf_counter() - began))
  return statistics.median(times)


def device() -> str:
  """What `latency` was measured on, in words."""
  kind = jax.devices()[0].device_kind
  return f'{kind}, {os.cpu_count()} cores' if jax.default_backend() == 'cpu' else kind

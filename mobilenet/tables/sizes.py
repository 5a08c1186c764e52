"""What is computed of a network here: its counts, and the time for one image."""

import collections
import functools
import os
import statistics
import time
from collections.abc import Iterable

import jax
import numpy as np

from mobilenet.models import counting, zoo
from mobilenet.models.initial import init_variables

ROUNDS = 30

Network = tuple[str, float, int]  # name in the zoo, width, resolution in px
_COUNTS: dict[Network, tuple[int, int]] = {}


def count(model: str, width: float, resolution: int) -> tuple[int, int]:
  """(parameters, multiply-adds) of a named network with 1,000 classes."""
  return count_all([(model, width, resolution)])[model, width, resolution]


def count_all(networks: Iterable[Network]) -> dict[Network, tuple[int, int]]:
  """`count` of many networks, with one trace for each two resolutions of a network.

  Tracing takes most of the time. Layers treat rows and columns separately, so at
  a x b px a map has the height that it has at a px, and the width that it has at b px.
  """
  networks = list(dict.fromkeys(networks))
  sizes = collections.defaultdict(list)
  for network in networks:
    if network not in _COUNTS:
      sizes[network[:2]].append(network[2])
  for (model, width), resolutions in sizes.items():
    for two in (resolutions[n : n + 2] for n in range(0, len(resolutions), 2)):
      network = zoo.create(model, width=width)
      layers = counting.layers(network, (two[0], two[-1]))
      if any(layer.kind == 'attention' for layer in layers):  # mixes rows and columns
        for resolution in two:
          _COUNTS[model, width, resolution] = counting.count(network, resolution)
        continue
      for axis, resolution in ((0, two[0]), (1, two[-1])):
        _COUNTS[model, width, resolution] = (
          counting.totals(layers)[0],
          sum(_square(layer, axis) for layer in layers),
        )
  return {network: _COUNTS[network] for network in networks}


def _square(layer: counting.Layer, axis: int) -> int:
  """Multiply-adds of a layer if its map were square, of the size along `axis`."""
  if len(layer.output_shape) < 3:
    return layer.multiply_adds
  height, width, _ = layer.output_shape
  return layer.multiply_adds // (height * width) * layer.output_shape[axis] ** 2


@functools.cache
def latency(model: str, width: float, resolution: int) -> float:
  """Median milliseconds of the logits of one image: jitted, compiled before, float32.

  The image and the weights are made up; neither changes the time.
  """
  network = zoo.create(model, width=width)
  shape = (resolution, resolution, 3)
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

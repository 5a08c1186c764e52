"""How long the networks of runs take for one image on this machine."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from mobilenet import trained
from mobilenet.export import check
from mobilenet.models import folding

ROUNDS = check.ROUNDS


class Latency(NamedTuple):
  """milliseconds: of one image, the median over the rounds.

  weights_bytes: of parameters and statistics, which is what `--job=export` writes, but
  for a header of some kB.
  """

  milliseconds: float
  weights_bytes: int


def measure(folders: Sequence[pathlib.Path], rounds: int = ROUNDS) -> list[Latency]:
  """Times one image through each run's network, as it predicts.

  The norms are folded into the convolutions, the program is compiled before, and the
  network runs on one device. The runs take turns, so that other work on the machine
  slows all of them.

  Raises:
    TrainingError, ModelError: a folder holds no trained network.
  """
  device, calls, sizes = jax.devices()[0], [], []
  for folder in folders:
    run = trained.load_run(folder)
    variables = jax.tree.map(np.asarray, run.variables)
    sizes.append(sum(leaf.nbytes for leaf in jax.tree.leaves(variables)))
    calls.append(_call(*folding.fold(run.model, variables), run.config, device))
  times = check.latencies(calls, rounds)
  return [Latency(each, size) for each, size in zip(times, sizes, strict=True)]


def _call(model, variables, config, device):
  """A function that computes the logits of one image."""
  side = config.resolution
  image = np.random.default_rng(0).standard_normal((1, side, side, 3), np.float32)
  variables, image = jax.device_put((variables, image), device)
  apply = jax.jit(lambda v, x: model.apply(v, x, train=False))
  return lambda: jax.block_until_ready(apply(variables, image))

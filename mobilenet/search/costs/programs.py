"""A part of a network as a program that can be called and timed, by each runtime."""

import dataclasses
import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from mobilenet.bench import machine
from mobilenet.export import errors, tflite
from mobilenet.export import graph as graphs
from mobilenet.export.adapted import for_tflite
from mobilenet.export.fake_quantisation import composite
from mobilenet.export.quantised import Quantised
from mobilenet.models import folding, user_cache
from mobilenet.models.initial import init_variables
from mobilenet.search.costs.parts import Part

SEED = 0


class Runtime(NamedTuple):
  """What runs parts. call_of: makes a function that runs one on one image.

  device: for people, and to tell machines apart. versions: of its packages.
  """

  call_of: Callable[[Part], Callable[[], object]]
  device: str
  versions: str


def folded(part: Part) -> tuple[Part, dict, np.ndarray]:
  """A part with its norms in its convolutions, drawn variables, and a drawn input."""
  variables = {'params': {}, 'batch_stats': {}}  # a pool has none
  variables |= init_variables(part.model, part.shape, SEED)
  model, variables = folding.fold(part.model, variables)
  generator = np.random.default_rng(SEED)
  image = generator.standard_normal((1, *part.shape), np.float32)
  return dataclasses.replace(part, network=model.network), variables, image


def jitted() -> Runtime:
  """Our own programs on this process's first device, compiled by XLA."""
  device = jax.devices()[0]

  def call_of(part: Part) -> Callable[[], object]:
    part, variables, image = folded(part)
    arguments = jax.device_put((variables, image), device)
    apply = jax.jit(part.apply)
    return lambda: jax.block_until_ready(apply(*arguments))

  name = cpu() if device.platform == 'cpu' else device.device_kind
  return Runtime(call_of, name, f'jax {jax.__version__}')


def tflite_bytes(part: Part) -> bytes:
  """A part as a TFLite file of float32 that takes one image.

  Raises:
    ExportError: the converter is not installed, or TFLite cannot hold the part.
  """
  part, variables, _ = folded(part)
  variables = jax.tree.map(np.asarray, variables)
  graph, _ = for_tflite(graphs.of(part.apply, variables, part.shape, 'TFLite'))
  function = Quantised(graph).function(composite, 'native')
  return tflite.convert(function, (1, *part.shape), ('output',))


def litert() -> Runtime:
  """TFLite files of parts, run by LiteRT on the CPU (XNNPACK).

  Raises:
    ExportError: its packages are not installed.
  """
  for package in ('litert_converter', 'ai_edge_litert'):
    if importlib.util.find_spec(package) is None:
      raise errors.missing(package.replace('_', '-'), 'timing TFLite files')

  def call_of(part: Part) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
      model_content=tflite_bytes(part), num_threads=machine.cores()
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given['index'], folded(part)[2])
    return interpreter.invoke

  version = importlib.metadata.version('ai-edge-litert')
  return Runtime(call_of, cpu(), f'ai-edge-litert {version}')


def cpu() -> str:
  """This machine's CPU: its name, and its instructions as a number."""
  return f'{machine.cpu_name()} ({user_cache.processor()})'

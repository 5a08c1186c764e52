"""Our own network in TFLite as a contender: float32 on the CPU, through XNNPACK."""

import importlib.metadata
import importlib.util
import platform
import time
import warnings

import jax
import tensorflow as tf
from jax.experimental import jax2tf

from mobilenet.bench import recipe
from mobilenet.bench.worker import Prepared
from mobilenet.models import zoo
from mobilenet.models.initial import init_variables


def prepare(spec: dict) -> Prepared:
  """Converts the network and makes an interpreter of it; see `ours.prepare`."""
  # The converter recognises TFLite's operators in XLA's own convolutions only.
  model = zoo.create(
    spec['name'],
    width=spec['width'],
    num_classes=spec['num_classes'],
    lowering='native',
  )
  shape = (spec['batch'], spec['resolution'], spec['resolution'], 3)
  began = time.perf_counter()
  variables = init_variables(model, shape[1:], recipe.SEED)
  content = convert(lambda x: model.apply(variables, x, train=False), shape)
  interpreter, runtime = make_interpreter(content, spec['threads'])
  images, _ = recipe.made_batch(spec)
  given = interpreter.get_input_details()[0]['index']
  logits = interpreter.get_output_details()[0]['index']

  def run():
    interpreter.set_tensor(given, images)
    interpreter.invoke()
    interpreter.get_tensor(logits)

  return Prepared(
    run=run,
    parameters=sum(leaf.size for leaf in jax.tree.leaves(variables['params'])),
    init_seconds=time.perf_counter() - began,
    platform='cpu',
    versions={'python': platform.python_version(), **runtime},
  )


def convert(function, shape: tuple[int, ...]) -> bytes:
  """A float TFLite model of a JAX function of one array of this shape."""
  graph = tf.function(
    jax2tf.convert(function),
    input_signature=[tf.TensorSpec(shape, tf.float32)],
    autograph=False,
  )
  return tf.lite.TFLiteConverter.from_concrete_functions(
    [graph.get_concrete_function()], graph
  ).convert()


def make_interpreter(content: bytes, threads: int):
  """An interpreter, and {package: version}: LiteRT's, or TensorFlow's older one."""
  if importlib.util.find_spec('ai_edge_litert') is not None:
    from ai_edge_litert.interpreter import Interpreter

    runtime = {'ai-edge-litert': importlib.metadata.version('ai-edge-litert')}
  else:
    Interpreter, runtime = tf.lite.Interpreter, {'tensorflow': tf.__version__}
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # TensorFlow's own warns that it will be removed
    interpreter = Interpreter(model_content=content, num_threads=threads)
  interpreter.allocate_tensors()
  return interpreter, runtime

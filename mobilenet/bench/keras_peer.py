"""keras.applications as a contender, on TensorFlow, JAX or (converted) in TFLite.

The TFLite file is what TensorFlow's converter makes of Google's own network. It runs in
LiteRT, as our files do.
"""

import importlib.metadata
import platform
import time

import keras
import numpy as np

from mobilenet.bench import recipe
from mobilenet.bench.worker import Prepared

CONVERTED = ('keras_tflite', 'keras_tflite_int8')
_NOTE = 'Keras averages trained weights only, not the statistics of BatchNorm'


def prepare(spec: dict) -> Prepared:
  """A model of keras.applications, to be trained or run; see `ours.prepare`."""
  backend = keras.backend.backend()
  kind, device, version, memory = _BACKENDS[backend](spec['threads'])
  keras.utils.set_random_seed(recipe.SEED)
  if spec['dtype'] != 'float32':
    keras.config.set_dtype_policy(f'mixed_{spec["dtype"]}')
  began = time.perf_counter()
  model = make_model(spec)
  images, labels = recipe.made_batch(spec)
  train, runtime = spec['mode'] == 'train', {}
  if spec['contender'] in CONVERTED:
    content = convert(model, images, integers=spec['contender'].endswith('int8'))
    run = converted_inference(content, images, spec['threads'])
    runtime = {'ai-edge-litert': importlib.metadata.version('ai-edge-litert')}
  elif train:
    targets = np.eye(spec['num_classes'], dtype=np.float32)[labels]
    run = training_step(model, images, targets)
  else:
    images = keras.ops.convert_to_tensor(images)
    run = _INFERENCE[backend](model, images, kind)
  return Prepared(
    run=run,
    parameters=sum(int(np.prod(w.shape)) for w in model.trainable_weights),
    init_seconds=time.perf_counter() - began,
    platform=kind,
    device=device,
    versions={
      'python': platform.python_version(),
      'keras': keras.__version__,
      backend: version,
      **runtime,
    },
    notes=(_NOTE,) if train else (),
    device_memory=memory,
  )


def make_model(spec: dict):
  """The model with logits as outputs and without dropout, as the others have it."""
  constructor = spec['their_name']
  arguments = {'dropout': 0.0} if constructor == 'MobileNet' else {}
  if 'V3' in constructor:
    arguments = {'dropout_rate': 0.0, 'include_preprocessing': False}
    arguments['minimalistic'] = 'minimalistic' in spec['name']
  return getattr(keras.applications, constructor)(
    input_shape=(spec['resolution'], spec['resolution'], 3),
    alpha=spec['width'],
    weights=None,
    classes=spec['num_classes'],
    classifier_activation=None,
    **arguments,
  )


def training_step(model, images, targets):
  """`train_on_batch`: Keras's own step, which returns with its loss on the host."""
  model.compile(
    optimizer=keras.optimizers.RMSprop(
      recipe.LEARNING_RATE,
      rho=recipe.DECAY,
      momentum=recipe.MOMENTUM,
      epsilon=recipe.EPSILON,
      use_ema=True,
      ema_momentum=recipe.EMA_DECAY,
    ),
    loss=keras.losses.CategoricalCrossentropy(
      from_logits=True, label_smoothing=recipe.LABEL_SMOOTHING
    ),
  )
  return lambda: model.train_on_batch(images, targets)


def convert(model, images: np.ndarray, *, integers: bool) -> bytes:
  """A TFLite model of a Keras model, for as many images as these.

  With the free batch that Keras's models have, the file would compute shapes as well.

  Args:
    model: on TensorFlow.
    images: float32 (N, H, W, 3), on which the ranges of integers are observed.
    integers: compute with bytes; images and answers stay floats, as in our files.
  """
  import tensorflow as tf

  given = keras.Input(batch_shape=images.shape)
  fixed = keras.Model(given, model(given, training=False))
  converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
  if integers:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[images]]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
  return converter.convert()


def converted_inference(content: bytes, images: np.ndarray, threads: int):
  """A function that computes the logits in LiteRT, as `export.runtimes.litert` does."""
  from ai_edge_litert.interpreter import Interpreter

  interpreter = Interpreter(model_content=content, num_threads=threads)
  interpreter.allocate_tensors()
  (given,), (logits,) = (
    interpreter.get_input_details(),
    interpreter.get_output_details(),
  )

  def run():
    interpreter.set_tensor(given['index'], images)
    interpreter.invoke()
    return interpreter.get_tensor(logits['index'])

  return run


def _tensorflow_inference(model, images, kind: str):
  import tensorflow as tf

  # XLA on an accelerator only, as Keras chooses by itself.
  forward = tf.function(lambda x: model(x, training=False), jit_compile=kind != 'cpu')
  return lambda: forward(images).numpy()


def _jax_inference(model, images, kind: str):
  import jax

  del kind
  forward = jax.jit(
    lambda trained, rest, x: model.stateless_call(trained, rest, x, training=False)[0]
  )
  trained = [variable.value for variable in model.trainable_variables]
  rest = [variable.value for variable in model.non_trainable_variables]
  return lambda: forward(trained, rest, images).block_until_ready()


def _tensorflow_backend(threads: int):
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(threads)
  tf.config.threading.set_inter_op_parallelism_threads(threads)
  devices = tf.config.list_physical_devices('GPU')
  if not devices:
    return 'cpu', 'cpu', tf.__version__, lambda: None
  details = tf.config.experimental.get_device_details(devices[0])

  def memory():
    return tf.config.experimental.get_memory_info('GPU:0')['peak']

  return 'gpu', details.get('device_name', 'gpu'), tf.__version__, memory


def _jax_backend(threads: int):
  import jax

  del threads  # XLA has as many as the process has cores

  def memory():
    return (jax.local_devices()[0].memory_stats() or {}).get('peak_bytes_in_use')

  kind = jax.default_backend()
  nothing = kind == 'cpu'
  device = jax.devices()[0].device_kind
  return kind, device, jax.__version__, (lambda: None) if nothing else memory


_BACKENDS = {'tensorflow': _tensorflow_backend, 'jax': _jax_backend}
_INFERENCE = {'tensorflow': _tensorflow_inference, 'jax': _jax_inference}

"""Writes a network as a TensorFlow SavedModel, which TensorFlow Serving loads.

A folder with two signatures: 'serving_default' takes prepared images, float32
(N, H, W, 3), and gives the answer; of classifiers 'photos' takes the bytes of JPEGs,
PNGs, GIFs or BMPs, string (N,), prepares them as evaluation does, and gives 'classes'
(N, 5) and 'probabilities' (N, 5), the most probable first.

The network is written in TensorFlow's own operators, which servers of any version and
device know. `jax2tf` would put StableHLO into the file, which TensorFlow compiles at
the first request and reads only where it is as new as JAX: 2.21 does not read that of
0.12.
"""

import json
import pathlib

import input_pipeline
from mobilenet.export import halves, output_file, tensorflow_finish, tensorflow_ops
from mobilenet.export.program import Program
from mobilenet.weights import class_names
from mobilenet.weights.own_file import KEY

PRECISIONS = halves.PRECISIONS
SAID = pathlib.Path('assets.extra', f'{KEY}.json')
SHOWN = 5  # classes that 'photos' gives


def write(
  program: Program, path: str | pathlib.Path, precision: str = 'float32'
) -> pathlib.Path:
  """Writes a program to a new folder.

  'float16' stores kernels as halves; they are made float32 when the program runs.

  Raises:
    ExportError: the network has what a graph has not, or a value that is too large for
      halves; the folder cannot be written.
  """
  graph, stored = halves.of_program(program, 'SavedModel', precision)
  path = pathlib.Path(path)
  tf = input_pipeline.tensorflow()
  variables = {
    # Names there may not begin as some of ours do.
    name: tf.Variable(array, trainable=False, name=f'of/{name}')
    for name, array in stored.items()
  }

  def answer(images):
    constants = {name: tf.cast(v, tf.float32) for name, v in variables.items()}
    made = tensorflow_ops.run(tf, graph, images, constants)
    return tensorflow_finish.finished(tf, program, made)

  signatures = {'serving_default': _of_images(program, answer)}
  if program.task == 'classification':
    signatures['photos'] = _of_photos(program, answer)
  module = tf.Module()
  module.constants = list(variables.values())  # those of a module are saved
  try:
    tf.saved_model.save(module, str(path), signatures=signatures)
    said = path / SAID
    said.parent.mkdir(exist_ok=True)
    said.write_text(json.dumps(program.said()))
  except (OSError, tf.errors.OpError) as error:
    # TensorFlow says where in its graph it failed, and the reason after that.
    told = str(error).splitlines()[0].partition(' [Op:')[0].rpartition('; ')[2]
    reason = getattr(error, 'strerror', None) or told
    raise output_file.unwritable(path, reason) from error
  return path


def _of_images(program, answer):
  tf = input_pipeline.tensorflow()
  spec = tf.TensorSpec((None, *program.image_shape()), tf.float32, 'images')

  @tf.function(autograph=False, input_signature=[spec])
  def serving_default(images):
    return dict(zip(program.outputs(), answer(images), strict=True))

  return serving_default


def _of_photos(program, answer):
  tf = input_pipeline.tensorflow()
  ops = input_pipeline.parse_ops(program.contract.eval_ops(program.resolution), 'eval')
  names = tf.constant([class_names.display_name(name) for name in program.class_names])
  shown = min(SHOWN, len(program.class_names))

  @tf.function(
    autograph=False, input_signature=[tf.TensorSpec((None,), tf.string, 'photos')]
  )
  def photos(photos):
    images = input_pipeline.prepare_in_graph(photos, ops, program.resolution)
    (answers,) = answer(images)
    if program.answer == 'logits':
      answers = tf.nn.softmax(answers / program.temperature())
    probabilities, indices = tf.math.top_k(answers, shown)
    return {'classes': tf.gather(names, indices), 'probabilities': probabilities}

  return photos

"""SavedModels in TensorFlow."""

import pathlib
from collections import Counter

import numpy as np

import input_pipeline
from mobilenet.export.errors import ExportError
from mobilenet.export.runtimes import opened
from mobilenet.export.runtimes.opened import Opened
from mobilenet.export.saved_model import SAID

NAME = 'TensorFlow'


def open_file(path: str | pathlib.Path, threads: int | None = None) -> Opened:
  """Opens a folder that `export.saved_model` wrote.

  Args:
    threads: None: TensorFlow takes all cores.

  Raises:
    ExportError: a number of threads; no folder there, a damaged one, or none of ours.
  """
  if threads is not None:
    raise ExportError(f'TensorFlow takes all cores: run it under taskset for {threads}')
  path = pathlib.Path(path)
  if not (path / 'saved_model.pb').is_file():
    raise ExportError(f'{path} has no saved_model.pb: it is no SavedModel')
  text = (path / SAID).read_text() if (path / SAID).is_file() else None
  said = opened.said_of(path, text)
  tf = input_pipeline.tensorflow()
  try:
    loaded = tf.saved_model.load(str(path))
    call = loaded.signatures['serving_default']
  except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
    raise opened.damaged(path, NAME, error) from error
  graph = call.graph.as_graph_def()
  nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
  return Opened(
    name=NAME,
    path=path,
    said=said,
    image_shape=opened.image_shape(said),
    batch=None,
    operators=Counter(node.op for node in nodes),
    # `loaded` must live as long as the signature: it holds the variables.
    run=lambda images, loaded=loaded: {
      name: np.asarray(values)
      for name, values in call(images=tf.constant(images)).items()
    },
  )

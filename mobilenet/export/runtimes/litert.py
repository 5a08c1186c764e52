"""Runs TFLite files by LiteRT."""

import collections
import os
import pathlib

import numpy as np

from mobilenet.export import tflite_file
from mobilenet.export.errors import missing
from mobilenet.export.runtimes import opened
from mobilenet.export.runtimes.opened import Opened
from mobilenet.training import files
from mobilenet.weights import tflite_file as readers
from mobilenet.weights import tflite_metadata

NAME = 'LiteRT'
SIGNATURE = 'serving_default'  # as `export.tflite` calls it


def open_file(path: pathlib.Path, threads: int | None = None) -> Opened:
  """Opens an exported TFLite file.

  Args:
    path: the file.
    threads: None for one a core.

  Raises:
    ExportError: LiteRT is not installed, or the file is damaged or not of this project.
    TrainingError: the file cannot be read.
  """
  path = opened.checked(path)
  try:
    from ai_edge_litert.interpreter import Interpreter
  except ImportError as error:
    raise missing('ai-edge-litert', 'running TFLite files') from error
  try:
    content = path.read_bytes()
    text = tflite_metadata.said(content)
    names = tflite_file.operators(tflite_file.parse(content))
    interpreter = Interpreter(
      model_content=content, num_threads=threads or os.cpu_count()
    )
    interpreter.allocate_tensors()
  except OSError as error:
    raise files.read_error(path, error) from error
  except (*readers.DAMAGED, RuntimeError) as error:
    raise opened.damaged(path, NAME, error) from error
  (given,) = interpreter.get_input_details()
  answers = interpreter.get_signature_runner(SIGNATURE).get_output_details()
  said = opened.said_of(path, text)

  def run(images: np.ndarray) -> dict[str, np.ndarray]:
    interpreter.set_tensor(given['index'], _as_bytes(images, given))
    interpreter.invoke()
    return {
      name: _as_floats(interpreter.get_tensor(tensor['index']), tensor)
      for name, tensor in answers.items()
    }

  return Opened(
    name=NAME,
    path=path,
    said=said,
    image_shape=opened.image_shape(said),
    batch=int(given['shape'][0]),
    operators=collections.Counter(names),
    run=run,
  )


def _as_bytes(images: np.ndarray, tensor: dict) -> np.ndarray:
  """Images as a tensor takes them, whole numbers where it is quantised."""
  scale, zero_point = tensor['quantization']
  if not scale:
    return images.astype(tensor['dtype'], copy=False)  # the interpreter copies it
  limits = np.iinfo(tensor['dtype'])
  steps = np.round(images / scale) + zero_point
  return np.clip(steps, limits.min, limits.max).astype(tensor['dtype'])


def _as_floats(values: np.ndarray, tensor: dict) -> np.ndarray:
  scale, zero_point = tensor['quantization']
  if not scale:
    return values.astype(np.float32, copy=False)
  return (values.astype(np.float32) - zero_point) * np.float32(scale)

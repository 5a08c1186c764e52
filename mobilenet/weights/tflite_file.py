"""Reads a TFLite classifier, float or quantised: its layers in running order.

The flatbuffer is only parsed, never run.
"""

import dataclasses
import json
import pathlib
import struct
import zipfile
import zlib

from mobilenet.weights import own_file, tflite_graph, tflite_metadata
from mobilenet.weights.graph import LAYERS, Graph
from mobilenet.weights.graph_layers import read_layers
from mobilenet.weights.weight_file import WeightFile, WeightsError

# What generated flatbuffer code and a zip raise on bytes that are not whole.
DAMAGED = (
  struct.error,
  ValueError,
  IndexError,
  KeyError,
  TypeError,
  AttributeError,
  OverflowError,
  zipfile.BadZipFile,
  zlib.error,
)


def read_tflite(path: str | pathlib.Path) -> WeightFile:
  """Reads a TFLite file; weights of whole numbers or of halves come as float32.

  Returns:
    A `WeightFile` of dialect 'tflite', with the tensors and the metadata of
    `graph_layers.read_layers`, and in the metadata, where the file has them, 'labels'
    and 'normalisation' ({'mean', 'std'}, of inputs 0 to 255, to be done by the caller).

  Raises:
    WeightsError: no TFLite file, a truncated one, or an op that the layers of this
      project cannot stand for.
  """
  path = pathlib.Path(path)
  try:
    data = path.read_bytes()
  except OSError as error:
    raise WeightsError(f'{path} cannot be read: {error.strerror}') from error
  if data[4:8] != b'TFL3':
    raise WeightsError(f"{path} is no TFLite file: bytes 4 to 8 are not 'TFL3'")
  try:
    graph, described = tflite_graph.parse(data)
    labels, said = tflite_metadata.labels(data), tflite_metadata.said(data)
    normalisation = described and tflite_metadata.normalisation(described)
    if said and json.loads(said).get('network_contract'):
      graph = _without_first_layer(graph)
    tensors, metadata = read_layers(graph, path)
  except WeightsError:
    raise
  except DAMAGED as error:
    raise WeightsError(f'{path} is truncated or damaged; fetch it again') from error
  if said:
    metadata[own_file.EXPORTED] = said
  if labels:
    metadata['labels'] = labels
  if normalisation and all(normalisation.values()):
    metadata['normalisation'] = normalisation
  return WeightFile(path, 'tflite', tensors, metadata)


def _without_first_layer(graph: Graph) -> Graph:
  """Without the one that normalises images for the network behind it."""
  place = next(n for n, op in enumerate(graph.ops) if op.kind in LAYERS)
  op = graph.ops[place]
  passed = dataclasses.replace(op, kind='same', inputs=op.inputs[:1], options={})
  ops = [*graph.ops[:place], passed, *graph.ops[place + 1 :]]
  return dataclasses.replace(graph, ops=ops)

"""Reads what TF-slim wrote: checkpoints, and frozen graphs with unfolded batch norm.

Both come out under the names that slim's scopes give the variables. A scope around the
network ('FeatureExtractor/' of the detectors) is taken off.
"""

import pathlib
import re
from collections.abc import Iterable

import numpy as np

from mobilenet.weights import slim_retrained
from mobilenet.weights.slim_retrained import Product
from mobilenet.weights.weight_file import WeightFile, WeightsError

# What a layer of slim holds; optimizer slots, steps and quantisation ranges end in
# other names and are passed over.
LEAVES = (
  'weights',
  'depthwise_weights',
  'biases',
  'gamma',
  'beta',
  'moving_mean',
  'moving_variance',
)
RETRAINED = 'retrained'  # what a layer put on a graph is called here
AVERAGE = '/ExponentialMovingAverage'
_WEIGHT = re.compile(
  rf'(?:^|/)(Mobilenet(?:V\d|EdgeTPU)/(?:.+/)?(?:{"|".join(LEAVES)}))$'
)


def read_checkpoint(path: str | pathlib.Path) -> WeightFile:
  """Reads a checkpoint of TensorFlow 1 or of `tf.compat.v1.train.Saver`.

  Where a variable has an exponential moving average beside it, the average is taken
  (of a norm's statistics too): the published accuracies are those of the averages.

  Args:
    path: the prefix ('x.ckpt', 'x.ckpt-123'), its '.index' or a '.data-' file, or a
      folder with one checkpoint, or with a folder 'ema' that holds one (as the
      archives of V3 have it).

  Returns:
    A `WeightFile` of dialect 'slim': 'MobilenetV1/Conv2d_0/weights' -> float32, sorted
    by name. Metadata: 'averages', whether moving averages were taken.

  Raises:
    WeightsError: no checkpoint, a damaged one, several in a folder, or none of a
      MobileNet.
  """
  import tensorflow as tf

  path = pathlib.Path(path)
  prefix = _prefix(path)
  try:
    reader = tf.train.load_checkpoint(str(prefix))
    held = sorted(reader.get_variable_to_shape_map())
    stored = {name: name for name in held}
    averages = {n.removesuffix(AVERAGE): n for n in held if n.endswith(AVERAGE)}
    sources = _weights({**stored, **averages}, path)
    tensors = {
      name: _float32(reader.get_tensor(source)) for name, source in sources.items()
    }
  except (tf.errors.OpError, RuntimeError, IndexError) as error:
    raise WeightsError(
      f'{path} is no checkpoint that TensorFlow can read, or is truncated '
      f'({_line(error)}); fetch it again, .index and .data files together'
    ) from error
  averaged = any(source.endswith(AVERAGE) for source in sources.values())
  return WeightFile(path, 'slim', tensors, {'averages': averaged})


def read_frozen(path: str | pathlib.Path) -> WeightFile:
  """Reads a frozen `GraphDef` (.pb) by parsing alone; nothing of it is run.

  Returns:
    A `WeightFile` of dialect 'slim', names and arrays as of the checkpoint, in the
    graph's order; a classifier that was trained on top of it is 'retrained/weights'
    and '/biases'. Metadata, where the graph says so: 'input_size' (height, width) of
    the placeholder in pixels, 'norm_epsilon' of the batch norms, and of a classifier
    on top 'output' (its activation) and 'head_activations' (that below it).

  Raises:
    WeightsError: no graph, a truncated one, one without a MobileNet, one whose
      variables are not frozen, or one whose BatchNorm is folded.
  """
  import tensorflow as tf
  from google.protobuf.message import DecodeError

  path = pathlib.Path(path)
  try:
    nodes = tf.compat.v1.GraphDef.FromString(_bytes(path)).node
  except DecodeError as error:
    raise WeightsError(
      f'{path} is no frozen graph, or is truncated ({_line(error)}); a frozen graph is '
      'a binary GraphDef, not a SavedModel and not a text file'
    ) from error
  constants = {node.name: node for node in nodes if node.op == 'Const'}
  if any(node.op in ('VariableV2', 'VarHandleOp', 'Variable') for node in nodes):
    raise WeightsError(
      f'{path} is a graph without its weights (its variables are not frozen); give the '
      'checkpoint that belongs to it'
    )
  if not any(name.endswith('/moving_mean') for name in constants) and any(
    'Mobilenet' in node.name for node in nodes
  ):
    raise WeightsError(f'{path} has BatchNorm folded; give the checkpoint')
  sources = _weights({name: name for name in constants}, path)
  retrained = slim_retrained.products(nodes)
  if retrained:
    sources = _with_retrained(sources, retrained, path)
  try:
    tensors = {
      name: _float32(tf.make_ndarray(constants[source].attr['value'].tensor))
      for name, source in sources.items()
    }
  except (TypeError, ValueError) as error:
    raise WeightsError(
      f'{path} has a constant that cannot be read ({_line(error)}); fetch it again'
    ) from error
  metadata = _graph_metadata(nodes, path)
  if retrained:
    # It sees ImageNet's logits as they are.
    metadata |= {'output': retrained[0].output, 'head_activations': ['linear']}
  return WeightFile(path, 'slim', tensors, metadata)


def _with_retrained(
  sources: dict[str, str], retrained: list[Product], path: pathlib.Path
) -> dict[str, str]:
  """With a classifier that was put on, and without the one that it replaces."""
  first = retrained[0]
  if len(retrained) > 1 or first.on not in ('logits', 'features'):
    names = ', '.join(product.kernel for product in retrained)
    raise WeightsError(
      f'{path} has layers on top of its network that cannot be taken over: {names}; '
      'one dense layer on its logits or its features can'
    )
  if first.on == 'features':
    sources = {name: s for name, s in sources.items() if '/Logits/' not in name}
  layer = {f'{RETRAINED}/weights': first.kernel, f'{RETRAINED}/biases': first.bias}
  return sources | {name: s for name, s in layer.items() if s is not None}


def _prefix(path: pathlib.Path) -> pathlib.Path:
  """The checkpoint that a person means by a path."""
  if path.is_dir():
    for folder in (path, path / 'ema'):
      found = sorted(folder.glob('*.index'))
      if len(found) > 1:
        known = ', '.join(index.stem for index in found)
        raise WeightsError(
          f'{folder} holds {len(found)} checkpoints ({known}); give the path of one'
        )
      if found:
        return found[0].with_suffix('')
    raise WeightsError(f'{path} holds no checkpoint: no .index file is in it')
  prefix = path.with_name(re.sub(r'\.(index|meta|data-\d+-of-\d+)$', '', path.name))
  if prefix.is_file():
    return prefix  # one file: the first format of TensorFlow 1
  index = prefix.with_name(f'{prefix.name}.index')
  if not index.is_file():
    raise WeightsError(
      f'{path} is no checkpoint: {index.name} is not there; give the path before '
      '.index, and keep the .index and .data files together'
    )
  return prefix


def _weights(stored: dict[str, str], path: pathlib.Path) -> dict[str, str]:
  """The file's names of what is a weight, by names from the network's scope on."""
  matches = {name: _WEIGHT.search(name) for name in stored}
  found = {match[1]: stored[name] for name, match in matches.items() if match}
  if not found:
    raise WeightsError(
      f'{path} holds no MobileNet of TF-slim: none of its {len(stored)} names has a '
      f"scope like 'MobilenetV2/'; it has {', '.join(list(stored)[:3]) or 'nothing'}"
    )
  return found


def _graph_metadata(nodes: Iterable, path: pathlib.Path) -> dict:
  metadata, epsilons = {}, set()
  for node in nodes:
    if node.op == 'Placeholder':
      sizes = [dim.size for dim in node.attr['shape'].shape.dim]
      if len(sizes) == 4 and min(sizes[1:3]) > 0:
        metadata['input_size'] = (sizes[1], sizes[2])
    elif node.op.startswith('FusedBatchNorm'):
      # A float32: six digits are what was meant.
      epsilons.add(float(f'{node.attr["epsilon"].f:.6g}'))
  if len(epsilons) > 1:
    raise WeightsError(
      f'{path} has batch norms of different epsilon ({sorted(epsilons)}), which no '
      'network here has; it cannot be mapped'
    )
  if epsilons:
    metadata['norm_epsilon'] = epsilons.pop()
  return metadata


def _bytes(path: pathlib.Path) -> bytes:
  try:
    return path.read_bytes()
  except OSError as error:
    raise WeightsError(f'{path} cannot be read: {error.strerror}') from error


def _float32(array: np.ndarray) -> np.ndarray:
  return np.asarray(array, np.float32)


def _line(error: Exception) -> str:
  """The first line of a library's message, short enough for one line of ours."""
  return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]

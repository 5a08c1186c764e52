"""Our weights as torchvision, timm and Keras load them, with the line that does it."""

import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from mobilenet.models import counting, named, zoo
from mobilenet.weights import (
  dense,
  dialects,
  fitting,
  keras_file,
  own_file,
  torch_file,
)
from mobilenet.weights.own_file import Weights
from mobilenet.weights.sources import SOURCES, Source
from mobilenet.weights.weight_file import WeightsError

# Names of timm's models: ours -> width -> (theirs, the stem's channels where fixed).
TIMM = {
  'mobilenet_v1': {1.0: ('mobilenetv1_100', 32), 1.25: ('mobilenetv1_125', 40)},
  'mobilenet_v2': {
    0.35: ('mobilenetv2_035', 16),
    0.5: ('mobilenetv2_050', 16),
    0.75: ('mobilenetv2_075', 24),
    1.0: ('mobilenetv2_100', 32),
    1.4: ('mobilenetv2_140', 48),
  },
  'mobilenet_v3_large': {
    0.75: ('mobilenetv3_large_075', 16),
    1.0: ('mobilenetv3_large_100', 16),
  },
  'mobilenet_v3_small': {
    0.5: ('mobilenetv3_small_050', 16),
    0.75: ('mobilenetv3_small_075', 16),
    1.0: ('mobilenetv3_small_100', 16),
  },
  'mobilenet_v3_large_minimalistic': {1.0: ('tf_mobilenetv3_large_minimal_100', 16)},
  'mobilenet_v3_small_minimalistic': {1.0: ('tf_mobilenetv3_small_minimal_100', 16)},
  'mobilenet_v4_conv_small': {
    0.35: ('mobilenetv4_conv_small_035', 32),
    0.5: ('mobilenetv4_conv_small_050', 32),
    1.0: ('mobilenetv4_conv_small', 32),
  },
  'mobilenet_v4_conv_medium': {1.0: ('mobilenetv4_conv_medium', 32)},
  'mobilenet_v4_conv_large': {1.0: ('mobilenetv4_conv_large', 24)},
  'mobilenet_v4_hybrid_medium': {
    0.75: ('mobilenetv4_hybrid_medium_075', 32),
    1.0: ('mobilenetv4_hybrid_medium', 32),
  },
  'mobilenet_v4_hybrid_large': {
    0.75: ('mobilenetv4_hybrid_large_075', 24),
    1.0: ('mobilenetv4_hybrid_large', 24),
  },
  'mnasnet_a1': {
    0.5: ('semnasnet_050', 16),
    0.75: ('semnasnet_075', 24),
    1.0: ('semnasnet_100', 32),
    1.4: ('semnasnet_140', 48),
  },
  'mnasnet_b1': {
    0.5: ('mnasnet_050', 16),
    0.75: ('mnasnet_075', 24),
    1.0: ('mnasnet_100', 32),
    1.4: ('mnasnet_140', 48),
  },
  'mnasnet_small': {1.0: ('mnasnet_small', 8)},
}

TORCHVISION = {
  'mobilenet_v2': 'mobilenet_v2',
  'mobilenet_v3_large': 'mobilenet_v3_large',
  'mobilenet_v3_small': 'mobilenet_v3_small',
  'squeezenet_1_0': 'squeezenet1_0',
  'squeezenet_1_1': 'squeezenet1_1',
  'alexnet': 'alexnet',
  'vgg16': 'vgg16',
  'vgg19': 'vgg19',
  'resnet50': 'resnet50',
  'googlenet': 'googlenet',
}
KERAS = {
  'mobilenet_v1': 'MobileNet',
  'mobilenet_v2': 'MobileNetV2',
  'mobilenet_v3_large': 'MobileNetV3Large',
  'mobilenet_v3_small': 'MobileNetV3Small',
  'mobilenet_v3_large_minimalistic': 'MobileNetV3Large',
  'mobilenet_v3_small_minimalistic': 'MobileNetV3Small',
}


def export(weights: Weights, framework: str, path: str | pathlib.Path) -> list[str]:
  """Writes weights for another framework (or for this one) to load.

  Args:
    weights: from `loading.load` or of a run.
    framework: a key of `FRAMEWORKS`.
    path: `.safetensors`; for Keras `.h5`.

  Returns:
    Lines for a person: the code that loads the file there, and how to prepare images.

  Raises:
    WeightsError: the framework has no such network, or the file cannot be written.
  """
  path, write = pathlib.Path(path), FRAMEWORKS.get(framework)
  if write is None:
    raise WeightsError(
      f'{framework!r} is no framework to export to; there are {", ".join(FRAMEWORKS)}'
    )
  suffix = '.h5' if framework == 'keras' else '.safetensors'
  if path.suffix != suffix:
    raise WeightsError(f'{path} must end in {suffix}')
  lines = write(weights, path)
  if weights.contract:
    lines.append(f'images: {weights.contract.eval_ops()}')
  return [f'written: {path}', *lines]


def _to_own(weights: Weights, path: pathlib.Path) -> list[str]:
  own_file.save(path, weights)
  return [f'load with --config.init={path}']


def _to_torchvision(weights: Weights, path: pathlib.Path) -> list[str]:
  model = weights.model
  name, width = model['name'], model['width']
  source = _source('torchvision', model)
  if isinstance(source, dense.DenseSource):
    return _whole_to_torchvision(weights, source, path)
  arguments = [f'num_classes={model["num_classes"]}']
  tensors = f"safetensors.torch.load_file('{path.name}')"
  load = [f'model.load_state_dict({tensors})']
  if name == 'shufflenet_v2':
    call = f'shufflenet_v2_x{width:.1f}'.replace('.', '_')
  elif name == 'mnasnet_b1':
    call = 'MNASNet'
    _refuse(model, 'torchvision', ['stem_width', 'hidden_act', 'act'])
    arguments.insert(0, f'alpha={width:g}')
    # Its loading wants a version, which the tensors of a file do not say.
    load = [
      'model_state = model.state_dict()',
      f'model_state.update({tensors})',
      'model.load_state_dict(model_state)',
    ]
  else:
    call = TORCHVISION[name]
    _refuse(model, 'torchvision', ['stem_width', 'hidden_act', 'act'])
    if width != 1.0:
      arguments.append(f'width_mult={width:g}')
    if 'v3' in name and width != 1.0 and model.get('expansion') != 'printed':
      raise WeightsError(
        f"torchvision's V3 has other expansions than this one at width {width:g}; "
        'export to keras or timm'
      )
  _refuse_hidden(model)
  if name == 'googlenet':
    arguments += ['aux_logits=False', 'init_weights=False']
  _write_torch(weights, source, path, {})
  return [f'model = torchvision.models.{call}({", ".join(arguments)})', *load]


def _whole_to_torchvision(weights, source: dense.DenseSource, path) -> list[str]:
  """A detector or a segmenter, trunk and head."""
  model = weights.model
  options = ['stem_width', 'act', 'expansion', 'filters', 'output_stride']
  _refuse(model, 'torchvision', options)
  if model['width'] != 1.0:
    _refuse(model, 'torchvision', ['width'])
  _write_torch(weights, source, path, {})
  return [
    f'model = {source.call(model["num_classes"])}',
    f"model.load_state_dict(safetensors.torch.load_file('{path.name}'))",
  ]


def _to_timm(weights: Weights, path: pathlib.Path) -> list[str]:
  model = weights.model
  # Padding and epsilon are arguments there.
  source = _source('timm', model, any_style=True)
  _refuse(model, 'timm', ['hidden_width', 'hidden_act', 'act', 'expansion'])
  known = TIMM[source.network]
  call, stem = known.get(model['width'], (None, None))
  if call is None or _stem(model) != stem:
    there = ', '.join(f'{w:g} ({channels})' for w, (_, channels) in known.items())
    raise WeightsError(
      f'timm has {source.network} at width (channels of the stem) {there}; this one is '
      f'{model["width"]:g} ({_stem(model)}); --format=own takes every network'
    )
  style = _style(model)
  arguments = [f"'{call}'", f'num_classes={model["num_classes"]}']
  arguments.append(f"pad_type='{'same' if style.padding == 'tf' else ''}'")
  arguments.append(f'bn_eps={style.norm_epsilon:g}')
  _write_torch(weights, source, path, {'architecture': call})
  return [
    f"model = timm.create_model({', '.join(arguments)}, checkpoint_path='{path.name}')"
  ]


def _to_keras(weights: Weights, path: pathlib.Path) -> list[str]:
  model = weights.model
  source = _source('keras.applications', model)
  _refuse(
    model, 'keras.applications', ['hidden_width', 'hidden_act', 'act', 'expansion']
  )
  if 'v3' in source.network and _stem(model) != 16:
    raise WeightsError(
      f"keras.applications' V3 keeps 16 channels in its first layer at every width, "
      f'this one has {_stem(model)}: its weights fit nowhere there'
    )
  tensors = _tensors(weights, source)
  keras_file.write_keras(path, tensors, dialects.layer_names(source.dialect, tensors))
  arguments = ['weights=None', f'classes={model["num_classes"]}']
  arguments += ['classifier_activation=None', f'alpha={model["width"]:g}']
  if 'minimalistic' in source.network:
    arguments.append('minimalistic=True')
  if 'v3' in source.network:
    arguments.append('include_preprocessing=False')
  if weights.contract:
    side = weights.contract.resolution
    arguments.append(f'input_shape=({side}, {side}, 3)')
  return [
    f'model = keras.applications.{KERAS[source.network]}({", ".join(arguments)})',
    f"model.load_weights('{path.name}')",
  ]


FRAMEWORKS: dict[str, Callable[[Weights, pathlib.Path], list[str]]] = {
  'own': _to_own,
  'torchvision': _to_torchvision,
  'timm': _to_timm,
  'keras': _to_keras,
}


def _source(framework: str, model: dict[str, Any], *, any_style=False) -> Source:
  """The framework's network that computes what ours does."""
  known = (*dense.SOURCES, *reversed(SOURCES))
  sources = {s.network: s for s in known if framework in s.framework}
  # Minimalistic V3 has timm's names but no weights of timm's own.
  source = sources.get(model['name'])
  if source is None:
    raise WeightsError(
      f'{framework} has no {model["name"]}; it has {", ".join(sorted(sources))}'
    )
  _refuse(model, framework, ['norm'])  # a folded network
  style, theirs = _style(model), (source.padding, source.norm_epsilon)
  ours = (style.padding, style.norm_epsilon)
  if not any_style and style.norm and ours != theirs:
    raise WeightsError(
      f'{framework} computes {model["name"]} with padding {theirs[0]!r} and BatchNorm '
      f'epsilon {theirs[1]:g}, this one has {ours[0]!r} and {ours[1]:g}: the logits '
      'would differ; timm takes any padding and epsilon'
    )
  return source


def _style(model: dict[str, Any]):
  return named.create(**model).network.style


def _stem(model: dict[str, Any]) -> int:
  network = zoo.create(**model).network
  stem = network.rows[0]
  return stem.exact or network.scale(stem.out, stem.shrink)


def _refuse(model: dict[str, Any], framework: str, options: list[str]) -> None:
  """Options of ours that a framework's models don't have."""
  for option in options:
    if model.get(option) is not None:
      raise WeightsError(
        f'{framework} has no {model["name"]} with {option} {model[option]!r}'
      )


def _refuse_hidden(model: dict[str, Any]) -> None:
  """A hidden layer that torchvision's model of that width has not, or has wider."""
  if 'v3' not in model['name']:
    _refuse(model, 'torchvision', ['hidden_width'])
    return
  network = zoo.create(**model).network
  # It is narrowed there, and not here unless asked.
  theirs = network.scale(zoo.NETWORKS[model['name']].head.hidden)
  head = network.head
  ours = head.exact or (head.hidden and network.scale(head.hidden, shrink=False))
  if ours != theirs:
    _refuse({**model, 'hidden_width': ours}, 'torchvision', ['hidden_width'])


def _write_torch(weights: Weights, source: Source, path, metadata) -> None:
  tensors = _tensors(weights, source)
  for name in list(tensors):
    if name.endswith('.running_mean'):
      # A counter that no forward pass reads; strict loading wants it.
      counter = name.replace('running_mean', 'num_batches_tracked')
      tensors[counter] = np.zeros((), np.int64)
  torch_file.write_safetensors(path, tensors, metadata | own_file.exported(weights))


def _tensors(weights: Weights, source: Source) -> dict[str, np.ndarray]:
  """Their name -> array in their layout, in the order of a forward pass."""
  made = named.create(**weights.model)
  layers = counting.layers(made, fitting.RESOLUTION)
  layers = [layer for layer in layers if layer.kind != 'attention']
  body, head = source.body_and_head()
  flat, tensors = own_file.flatten(weights.variables), {}
  arrays: dict[str, list[tuple[str, np.ndarray]]] = {}
  for name, value in flat.items():
    layer, _, array = name.partition('/')[2].rpartition('/')
    arrays.setdefault(layer, []).append((array, value))
  for layer, name in zip(layers, body + head, strict=True):
    kind = dialects.kind_of(layer.kind)
    for array, value in arrays[layer.name]:
      if f'{layer.name}/{array}' == fitting.FLATTENED:
        value = dialects.channels_first(value, made.network.head.size)
      if re.match(source.boxes, name):
        value = dialects.y_first(value)
      tensors[dialects.theirs(source.dialect, kind, array, name)] = dialects.to_theirs(
        source.dialect, kind, array, value, as_conv=not re.match(source.linear, name)
      )
  return tensors

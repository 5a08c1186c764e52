"""Who is timed: each contender with its file, its processes' settings and its models.

Only a worker process of its own imports a contender's file: two frameworks in one
process would compete for its threads.
"""

import dataclasses
import os
from collections.abc import Sequence

from mobilenet.bench import stock
from mobilenet.bench.recipe import RECIPES
from mobilenet.models import named, zoo
from mobilenet.models.rows import Network
from mobilenet.training.errors import TrainingError, require, unknown_name
from mobilenet.weights import searched
from mobilenet.weights.exporting import KERAS, TIMM

OURS = 'ours'
NUM_CLASSES = RECIPES['classification'].num_classes
DTYPES = ('float32', 'bfloat16')
CLASSIFICATION, DETECTION = 'classification', 'detection'  # keys of RECIPES
TORCHVISION = {
  'ssdlite_mobilenet_v3_large_torchvision': 'ssdlite320_mobilenet_v3_large'
}


@dataclasses.dataclass(frozen=True)
class Contender:
  """title: its name in tables. module: its `prepare(spec)` makes what is timed.

  modes: those it takes part in. install: the command that installs its packages.
  environment: variables of its process. names: our name of a model -> its framework's;
  None if it takes ours. dtypes: that it computes in. kinds: of networks that it has.
  """

  title: str
  module: str
  install: str
  modes: tuple[str, ...]
  names: dict | None = None
  environment: dict[str, str] = dataclasses.field(default_factory=dict)
  dtypes: tuple[str, ...] = DTYPES
  kinds: tuple[str, ...] = (CLASSIFICATION,)


ONE_IMAGE = ('latency', 'processor')
_ALL = ('train', 'infer', *ONE_IMAGE, 'compile', 'memory')
OF_CLASSIFIERS = ('grow', 'lowerings', 'roofline')  # and of ours alone
_PEERS = 'pip install -r requirements-bench.txt'
_PACKAGE = 'mobilenet.bench'


def _exported(title: str) -> Contender:
  install = 'pip install -r requirements-export.txt'
  module = f'{_PACKAGE}.exported'
  return Contender(title, module, install, ONE_IMAGE, dtypes=('float32',))


def _torchvision(title: str) -> Contender:
  module = f'{_PACKAGE}.torchvision_peer'
  return Contender(title, module, _PEERS, _ALL, TORCHVISION, kinds=(DETECTION,))


def _keras(title: str, backend: str) -> Contender:
  environment = {'KERAS_BACKEND': backend}
  return Contender(title, f'{_PACKAGE}.keras_peer', _PEERS, _ALL, KERAS, environment)


def _keras_converted(title: str) -> Contender:
  whole = _keras(title, 'tensorflow')
  return dataclasses.replace(whole, modes=ONE_IMAGE, dtypes=('float32',))


CONTENDERS = {
  OURS: Contender(
    'ours',
    f'{_PACKAGE}.ours',
    'pip install -r requirements.txt',
    (*_ALL, *OF_CLASSIFIERS, 'input'),
    kinds=tuple(RECIPES),
  ),
  # Without the accelerator, which ours uses where it is built.
  'plain': Contender(
    'ours, XLA alone',
    f'{_PACKAGE}.ours',
    'pip install -r requirements.txt',
    _ALL,
    kinds=tuple(RECIPES),
  ),
  'stock': Contender(
    'stock flax.linen', f'{_PACKAGE}.ours', 'pip install -r requirements.txt', _ALL
  ),
  'timm': Contender('timm, eager', f'{_PACKAGE}.timm_peer', _PEERS, _ALL, TIMM),
  'timm_compile': Contender(
    'timm, torch.compile', f'{_PACKAGE}.timm_peer', _PEERS, _ALL, TIMM
  ),
  'torchvision': _torchvision('torchvision, eager'),
  'torchvision_compile': _torchvision('torchvision, torch.compile'),
  'keras_tensorflow': _keras('Keras on TensorFlow', 'tensorflow'),
  'keras_jax': _keras('Keras on JAX', 'jax'),
  'keras_tflite': _keras_converted('Keras in TFLite'),
  'keras_tflite_int8': _keras_converted('Keras in TFLite, int8'),
  'tflite': _exported('ours in TFLite'),
  'tflite_int8': _exported('ours in TFLite, int8'),
  'onnxruntime': _exported('ours in onnxruntime'),
  'onnxruntime_int8': _exported('ours in onnxruntime, int8'),
  'openvino': _exported('ours in OpenVINO'),
}
PEERS = tuple(name for name in CONTENDERS if name != OURS)

# Of every worker. The contenders share a GPU's memory, so none may take it all at once;
# libraries' notes would fill the logs.
ENVIRONMENT = {
  'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
  'TF_FORCE_GPU_ALLOW_GROWTH': 'true',
  'TF_CPP_MIN_LOG_LEVEL': '2',
}
# Of workers whose compile time counts: nothing compiled before is reused.
COLD = {
  'JAX_ENABLE_COMPILATION_CACHE': 'false',
  'TORCHINDUCTOR_FORCE_DISABLE_CACHES': '1',
}


@dataclasses.dataclass(frozen=True)
class Model:
  """A network of ours by name and width, or by its rows (`models.table`)."""

  name: str
  width: float = 1.0
  table: str | None = None

  @property
  def label(self) -> str:
    return self.name if self.width == 1.0 else f'{self.name}:{self.width:g}'

  @property
  def kind(self) -> str:
    """A key of `recipe.RECIPES`."""
    return named.kind(self.name)

  @property
  def network(self) -> Network:
    """Of a classifier."""
    return zoo.create(self.name, width=self.width, table=self.table).network


def chosen_models(text: str) -> list[Model]:
  """'mobilenet_v2,mobilenet_v3_small:0.5,runs/faster/searched.json' -> models.

  Raises:
    ModelError: there is no such network. TrainingError: the width is no number.
  """
  models = []
  for part in _parts('--models', text):
    if part.endswith('.json'):
      found = searched.read(part)
      models.append(Model(found.name, table=found.text))
      continue
    name, _, width = part.partition(':')
    try:
      model = Model(name, float(width or 1.0))
    except ValueError:
      raise TrainingError(
        f'--models: {part!r} is not NAME or NAME:WIDTH, as mobilenet_v3_small:0.5'
      ) from None
    require(
      model.kind in RECIPES,
      f'--models: {model.name} is a network for {model.kind}; those for '
      f'{" and ".join(RECIPES)} are timed',
    )
    named.create(model.name, width=model.width, num_classes=2)
    models.append(model)
  return models


def chosen_modes(text: str, models: Sequence[Model] = ()) -> list[str]:
  """'train,latency' -> modes; for an unknown one the error names the nearest."""
  modes = _parts('--modes', text)
  known = CONTENDERS[OURS].modes
  for mode in modes:
    if mode not in known:
      raise unknown_name('--modes', mode, known)
  require(
    'processor' not in modes or os.name != 'nt',
    '--modes=processor needs Linux or macOS: Windows counts processor time in steps '
    'of 16 ms',
  )
  alone = [mode for mode in modes if mode in OF_CLASSIFIERS]
  other = [model.label for model in models if model.kind != CLASSIFICATION]
  require(
    not (alone and other),
    f'--modes={",".join(alone)} takes classifiers only: leave out {", ".join(other)}',
  )
  return modes


def chosen_peers(text: str) -> list[str]:
  """'auto' -> all peers, 'none' -> none of them, 'stock,timm' -> these."""
  if text in ('auto', 'none'):
    return list(PEERS) if text == 'auto' else []
  peers = _parts('--peers', text)
  for peer in peers:
    if peer not in PEERS:
      raise unknown_name('--peers', peer, (*PEERS, 'auto', 'none'))
  return peers


def chosen_against(name: str, peers: Sequence[str], modes: Sequence[str]) -> str:
  """Whose numbers the ratios are of: one that is timed in some mode."""
  if name not in (OURS, *peers):
    raise unknown_name('--against', name, (OURS, *peers))
  own = CONTENDERS[name].modes
  require(
    any(mode in own for mode in modes),
    f'--against={name}: it is timed in {", ".join(own)} only; add one of these to '
    '--modes',
  )
  return name


def interpreters(text: str | None) -> dict[str, str]:
  """'timm=/envs/torch/bin/python' -> {peer: Python}, of peers that have their own."""
  found = {}
  for part in _parts('--peer_python', text) if text else ():
    peer, equals, path = part.partition('=')
    require(
      bool(equals and path), f'--peer_python: {part!r} is not PEER=/path/to/python'
    )
    if peer not in PEERS:
      raise unknown_name('--peer_python', peer, PEERS)
    found[peer] = path
  return found


def why_not(contender: str, model: Model, dtype: str) -> str | None:
  """Why a contender cannot run a model, in a few words; None where it can."""
  names = CONTENDERS[contender].names
  if model.kind not in CONTENDERS[contender].kinds:
    return f'has no networks for {model.kind} here'
  if contender == 'stock':
    return stock.why_not(model.network)
  if dtype not in CONTENDERS[contender].dtypes:
    return f'has no {dtype} here'
  if names is TIMM and model.width not in TIMM.get(model.name, {}):
    return f'has no {model.label}'
  if names is TORCHVISION and (model.name not in names or model.width != 1.0):
    return f'has no {model.label}'
  if names is KERAS and model.name not in KERAS:
    return f'has no {model.label}'
  return None


def their_name(contender: str, model: Model) -> str:
  """The name of a model in the contender's framework; ours if it takes ours."""
  names = CONTENDERS[contender].names
  if names is TIMM:
    return TIMM[model.name][model.width][0]
  return model.name if names is None else names[model.name]


def _parts(flag: str, text: str) -> list[str]:
  parts = list(dict.fromkeys(filter(None, map(str.strip, text.split(',')))))
  require(bool(parts), f'{flag} is empty')
  return parts

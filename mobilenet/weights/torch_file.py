"""Weights of PyTorch: torch.save's files without PyTorch, and .safetensors."""

import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilenet.training.errors import TrainingError
from mobilenet.training.files import replace_file
from mobilenet.weights import state_dict
from mobilenet.weights.torch_archive import (
  Saved,
  is_torch_legacy,
  open_legacy,
  open_zip,
)
from mobilenet.weights.weight_file import WeightFile, WeightsError


def read_torch(path: str | pathlib.Path) -> WeightFile:
  """Reads a state dict that torch.save wrote, running nothing of it.

  A state dict inside a training checkpoint is found under the usual names, and the
  prefixes of DataParallel and torch.compile are taken off.

  Returns:
    Tensors by their names in the state dict, in its order; floats as float32 (exact
    for float16 and bfloat16), integers and bool as they are. metadata['torch']:
    'format' ('zip' or 'legacy'), 'wrapper' (the keys that led to the state dict) and
    'beside' (text, numbers and lists of text that lie at the top of a checkpoint, such
    as timm's 'arch'). metadata['timm'] as in `read_safetensors`, for the one file name
    that goes with a config.json on the Hugging Face hub, pytorch_model.bin.

  Raises:
    WeightsError: one line: not such a file, cut short, damaged, code in the pickle, a
      tensor that reaches outside its storage, no tensors.
  """
  path = pathlib.Path(path)
  try:
    with path.open('rb') as file:
      head = file.read(64)
      file.seek(0)
      if is_torch_legacy(head):
        return _weight_file(path, open_legacy(file, path), 'legacy')
      if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
          return _weight_file(path, open_zip(archive, path), 'zip')
  except OSError as error:
    raise _unreadable(path, error) from error
  except WeightsError:
    raise
  except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
    raise WeightsError(f'{path} is a damaged zip: fetch or save it again') from error
  if head.startswith(b'PK'):
    raise WeightsError(f'{path} is a zip cut short: fetch or save it again')
  begins = f'begins with {ascii(head[:16])[2:-1]}' if head else 'is empty'
  raise WeightsError(
    f'{path} {begins}: no file of torch.save; make one with '
    'torch.save(model.state_dict(), file)'
  )


def _weight_file(path: pathlib.Path, saved: Saved, layout: str) -> WeightFile:
  tensors, facts = state_dict.read(saved, path)
  timm = _timm_config(path) if path.name == 'pytorch_model.bin' else {}
  return WeightFile(
    path, 'torch', tensors, {'torch': {'format': layout, **facts}, **timm}
  )


def _unreadable(path: pathlib.Path, error: OSError) -> WeightsError:
  return WeightsError(
    f'{path} cannot be read: {error.strerror or type(error).__name__}; '
    'give the path of a weight file'
  )


def _timm_config(path: pathlib.Path) -> dict[str, Any]:
  """{'timm': ...} of a config.json beside `path`, or {} where there is none of timm."""
  beside = path.with_name('config.json')
  try:
    config = json.loads(beside.read_text(encoding='utf-8'))
  except FileNotFoundError:
    return {}
  except OSError as error:
    raise _unreadable(beside, error) from error
  except ValueError as error:
    raise WeightsError(
      f'{beside}, which describes {path.name}, is no JSON: mend it or move it away'
    ) from error
  # A run's own folder has a config.json too, which says neither.
  if isinstance(config, dict) and {'architecture', 'pretrained_cfg'} & config.keys():
    return {'timm': config}
  return {}


def read_safetensors(path: str | pathlib.Path) -> WeightFile:
  """Reads a .safetensors file of a PyTorch model.

  Returns:
    Tensors as by `read_torch`, in the order of their names. metadata['safetensors']:
    the file's own text fields. metadata['timm']: a config.json beside the file, where
    it is one of timm ('architecture', 'pretrained_cfg', 'label_names', ...).

  Raises:
    WeightsError: one line: not such a file, cut short, a type that numpy lacks, no
      tensors, a config.json that is no JSON.
  """
  # safetensors asks numpy for 'bfloat16', which numpy knows once this is imported.
  import ml_dtypes  # noqa: F401

  safetensors = _safetensors()
  path = pathlib.Path(path)
  name = ''
  try:
    path.open('rb').close()
    with safetensors.safe_open(path, framework='np') as file:
      fields = dict(file.metadata() or {})
      arrays = {}
      for name in file.keys():  # noqa: SIM118 (it is no dict)
        arrays[name] = file.get_tensor(name)
  except OSError as error:
    raise _unreadable(path, error) from error
  except (safetensors.SafetensorError, AttributeError, TypeError, ValueError) as error:
    if not name:
      raise WeightsError(
        f'{path} is no safetensors file, or is cut short: fetch or save it again'
      ) from error
    raise WeightsError(
      f'{path}: tensor {name!a} has a type that numpy cannot hold; save it as float32'
    ) from error
  arrays = state_dict.clean(arrays, path)
  if not arrays:
    raise WeightsError(f'{path} has no tensors in it: save the state dict of a model')
  tensors = {name: state_dict.as_float32(array) for name, array in arrays.items()}
  return WeightFile(
    path, 'torch', tensors, {'safetensors': fields, **_timm_config(path)}
  )


def write_safetensors(
  path: str | pathlib.Path,
  tensors: Mapping[str, np.ndarray],
  metadata: Mapping[str, str] | None = None,
) -> pathlib.Path:
  """Writes `tensors` as PyTorch's libraries read them, whole or not at all.

  Args:
    tensors: name -> array; types stay as they are.
    metadata: text fields; 'format' is 'pt' unless given, without which Hugging Face's
      loaders refuse a file.

  Raises:
    WeightsError: the file cannot be written; what was there before stays.
  """
  _safetensors()
  from safetensors.numpy import save

  # The library takes the bytes as they lie in memory.
  arrays = {name: np.asarray(array, order='C') for name, array in tensors.items()}
  data = save(arrays, {'format': 'pt', **(metadata or {})})
  try:
    return replace_file(path, data)
  except TrainingError as error:
    reason = getattr(error.__cause__, 'strerror', None) or error
    raise WeightsError(
      f'cannot write {path}: {reason}; choose another place or make room'
    ) from error


def _safetensors():
  try:
    import safetensors
  except ImportError as error:
    raise WeightsError(
      'safetensors files need the library of that name: pip install safetensors'
    ) from error
  return safetensors

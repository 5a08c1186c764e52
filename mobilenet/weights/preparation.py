"""How images are to be prepared for a file: what it says, else what its maker does."""

import dataclasses
from typing import Any

from mobilenet.weights import dialects, scaling
from mobilenet.weights.contract import Contract, make_contract
from mobilenet.weights.fitting import Fitted, is_put_on
from mobilenet.weights.official import Official
from mobilenet.weights.sources import SOURCES, TIMM_TF
from mobilenet.weights.weight_file import WeightFile, WeightsError


def contract_of(
  fitted: Fitted, file: WeightFile, known: Official | None
) -> tuple[Contract, list[str]]:
  """The source's contract, changed by what the file says.

  Args:
    fitted: what the file was recognised as.
    file: as it was read.
    known: the published file that it is.

  Returns:
    The contract, and what has to be told of it, for people.

  Raises:
    WeightsError: the file prepares images in a way that no contract can say.
  """
  said, usual, notes = _said(fitted, file, known)
  contract = make_contract(usual | said, fitted.source.contract)
  return dataclasses.replace(contract, label_offset=fitted.label_offset), notes


def assumed(
  fitted: Fitted, file: WeightFile, known: Official | None
) -> tuple[str, ...]:
  """The fields of the contract that neither the file nor its maker says.

  Arguments as `contract_of` has them.
  """
  if known or 'pretrained_cfg' in file.metadata.get('timm', {}):
    return ()
  said, _, _ = _said(fitted, file, known)
  names = [field.name for field in dataclasses.fields(Contract)]
  return tuple(n for n in names if n not in said and n != 'label_offset')


def _said(
  fitted: Fitted, file: WeightFile, known: Official | None
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
  """Fields that the file says, fields that are usual with such files, and notes."""
  source, metadata, said, usual, notes = fitted.source, file.metadata, {}, {}, []
  if unreadable := metadata.get('unknown_preprocessing'):
    raise WeightsError(
      f'{file.path} prepares its images by layers that cannot be read: '
      f'{", ".join(unreadable)}; save the network without them'
    )
  if size := metadata.get('input_size'):
    said['resolution'] = size if isinstance(size, int) else size[0]
  if any(map(is_put_on, dialects.layer_names(file.dialect, file.tensors))):
    usual['crop_fraction'] = 1.0  # transfer learning's tutorials resize and don't crop
  if known and known.framework == 'torchvision':
    said['crop_fraction'] = source.contract.resolution / known.resize
  elif 'pretrained_cfg' in metadata.get('timm', {}):
    said |= _from_timm(metadata['timm']['pretrained_cfg'])
  elif not known and _has_tf_twin(fitted):
    notes.append(
      "taken for timm's own weights, with PyTorch's padding; if they are of a tf_ "
      'model, let the file name begin with tf_'
    )
  said |= scaling.mean_and_std(metadata)
  if unusual := scaling.unusual_range(metadata):
    notes.append(unusual)
  return said, usual, notes


def _from_timm(config: dict[str, Any]) -> dict[str, Any]:
  """Fields of timm's `pretrained_cfg`, as its evaluation reads them."""
  known = {
    'mean': 'mean',
    'std': 'std',
    'crop_pct': 'crop_fraction',
    'interpolation': 'interpolation',
  }
  said = {ours: config[theirs] for theirs, ours in known.items() if config.get(theirs)}
  if config.get('input_size'):
    said['resolution'] = config['input_size'][-1]
  if config.get('crop_mode') == 'squash':
    said['resize'] = 'squash'
  return said


def _has_tf_twin(fitted: Fitted) -> bool:
  """Whether timm has a model of the same arrays with TensorFlow's padding."""
  twins = {s.network for s in SOURCES if s.framework == TIMM_TF}
  of_timm = fitted.source.dialect == 'torch' and fitted.source.framework == 'timm'
  return of_timm and fitted.source.network in twins

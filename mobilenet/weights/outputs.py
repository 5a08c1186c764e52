"""What the outputs of a file's classifier mean, brought to a softmax over classes.

One output z that goes through a sigmoid is a softmax over two classes whose logits are
0 and z: softmax((0, z)) = (1 - sigmoid(z), sigmoid(z)), exactly.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mobilenet.weights import dialects
from mobilenet.weights.weight_file import WeightFile, WeightsError

WITH_BACKGROUND = 1001  # classes: ImageNet's, after one that is none of them
SPELLED = {'logits': 'linear', 'none': 'linear'}  # as files have it: as it is here
OF_CLASSES = ('softmax', 'linear', '')  # '': the file does not say


@dataclasses.dataclass(frozen=True)
class Outputs:
  """Arrays of a file, whose classifier gives logits of a softmax.

  count: classes.
  left_out: classes in front of the first that the arrays no longer have.
  notes: for people.
  """

  tensors: dict[str, np.ndarray]
  count: int
  left_out: int = 0
  notes: tuple[str, ...] = ()


def as_softmax(
  file: WeightFile, tensors: Mapping[str, np.ndarray], layer: str, own: str = ''
) -> Outputs:
  """The arrays with a classifier whose outputs are logits of a softmax.

  Args:
    file: metadata says what its outputs go through ('output', TFLite's 'layers') and
      what they were trained for ('loss'), where it says so.
    tensors: its arrays.
    layer: the name of its classifier.
    own: the activation that the network has on its classifier, before it averages.

  Raises:
    WeightsError: its outputs are not probabilities of classes that exclude each other.
  """
  count = dialects.outputs(file.dialect, tensors, layer)
  if count is None:  # which is a difference that is told later
    return Outputs(dict(tensors), 1)
  activation, loss = _activation(file, own), _plain(file.metadata.get('loss', ''))
  if count == 1:
    regression = activation == 'linear' and loss and 'crossentropy' not in loss
    if regression or activation not in ('sigmoid', 'linear', ''):
      how = f', trained with {file.metadata["loss"]}' if regression else ''
      raise WeightsError(
        f'{file.path} has one output with the activation {activation}{how}, which is '
        'no probability of a class; a sigmoid is'
      )
    notes = (_binary_note(file, activation),)
    return Outputs(_two_classes(file.dialect, tensors, layer), 2, notes=notes)
  if activation == 'sigmoid' or (
    activation == 'linear' and 'binarycrossentropy' in loss
  ):
    raise WeightsError(
      f'{file.path} has {count} sigmoid outputs, one for each label (multi-label), '
      'which are not read yet; a softmax over classes is, and a single sigmoid'
    )
  if activation not in OF_CLASSES:
    raise WeightsError(
      f'{file.path} has {count} outputs with the activation {activation}, which are no '
      'probabilities of classes; a softmax is'
    )
  if count == WITH_BACKGROUND:
    return Outputs(_without_first(file.dialect, tensors, layer), count - 1, left_out=1)
  return Outputs(dict(tensors), count)


def _activation(file: WeightFile, own: str) -> str:
  """What the outputs go through besides `own`, '' where the file does not say."""
  said = file.metadata.get('output', '')
  # TFLite's layers may have an activation in them.
  *_, last = file.metadata.get('layers') or [{}]
  fused = last.get('activation', 'NONE').lower()
  if fused not in ('none', own):
    said = fused if said in ('', 'logits') else f'{fused}, {said}'
  return SPELLED.get(said, said)


def _binary_note(file: WeightFile, activation: str) -> str:
  """Which of the two classes is the one that the output speaks for."""
  what = {
    'sigmoid': 'its one output, a sigmoid,',
    'linear': 'its one output is taken for the logit of a sigmoid, which',
    '': 'its one output is taken for the logit of a sigmoid, which',
  }[activation]
  order = ''
  if file.dialect == 'keras':
    order = '; of two folders Keras has the one that is second by name as class 1'
  return f'{what} is the probability of class 1, and the rest that of class 0{order}'


def _two_classes(dialect: str, tensors: Mapping[str, np.ndarray], layer: str):
  """A classifier of one logit z as one of the two logits 0 and z."""
  made = dict(tensors)
  for name, value in tensors.items():
    if dialects.split(dialect, name)[0] == layer:
      axis = dialects.output_axis(dialect)
      made[name] = np.concatenate([np.zeros_like(value), value], axis)
  return made


def _without_first(dialect: str, tensors: Mapping[str, np.ndarray], layer: str):
  made = dict(tensors)
  for name, value in tensors.items():
    if dialects.split(dialect, name)[0] == layer:
      made[name] = value[1:] if dialect == 'torch' else value[..., 1:]
  return made


def _plain(name: str) -> str:
  """'BinaryCrossentropy' and 'binary_crossentropy' alike."""
  return name.lower().replace('_', '').replace(' ', '')

"""Writes TFLite Metadata: what the input means, how it is normalised, the labels.

The tables of metadata_schema.fbs, by position: no light package brings its generated
code along. `weights.tflite_metadata` reads them.
"""

from collections.abc import Sequence

import numpy as np

from mobilenet.export.program import Program

IDENTIFIER = b'M001'
RGB, UNKNOWN = 1, 0  # ColorSpaceType
IMAGE_PROPERTIES, NORMALIZATION = 2, 1  # in their unions
AXIS_LABELS = 2  # AssociatedFileType
KINDS = {
  'classification': 'Image classifier',
  'detection': 'Object detector',
  'segmentation': 'Image segmenter',
  'tags': 'Image tagger',
  'embeddings': 'Image embedder',
}
LABELLED = ('logits', 'probabilities', 'scores')  # outputs whose last axis is classes
PARSER = '1.0.0'  # min_parser_version: the first has all that is used here


def build(program: Program, labels: str) -> bytes:
  """The buffer of a model's entry TFLITE_METADATA.

  Args:
    program: what the model is of.
    labels: the name of the file with the class names.
  """
  return _Builder(program, labels).build()


class _Builder:
  """Flatbuffers are written from the leaves up: each method returns a position."""

  def __init__(self, program: Program, labels: str):
    import flatbuffers

    self.to = flatbuffers.Builder(1024)
    self.program, self.labels = program, labels

  def build(self) -> bytes:
    said, count = self.program, len(self.program.class_names)
    classes = f' of {count} classes' if count else ''
    subgraph = self._table(
      9,
      {
        2: self._vector([self._input()]),
        3: self._vector([self._output(name) for name in said.outputs()]),
      },
    )
    model = self._table(
      8,
      {
        0: self.to.CreateString(said.origin),
        1: self.to.CreateString(
          f'{KINDS[said.task]}{classes}, {said.resolution} px. '
          f'Photos are prepared by: {said.contract.eval_ops(said.resolution)}'
        ),
        3: self._vector([subgraph]),
        7: self.to.CreateString(PARSER),
      },
    )
    self.to.Finish(model, file_identifier=IDENTIFIER)
    return bytes(self.to.Output())

  def _input(self) -> int:
    contract = self.program.contract
    is_rgb = contract.channel_order == 'rgb'
    image = self._table(2, bytes_={0: RGB if is_rgb else UNKNOWN})
    content = self._table(3, {1: image}, bytes_={0: IMAGE_PROPERTIES})
    # Of images 0 to 255.
    mean, std = (np.asarray(v) * 255 for v in (contract.mean, contract.std))
    normalisation = self._table(2, {0: self._floats(mean), 1: self._floats(std)})
    unit = self._table(2, {1: normalisation}, bytes_={0: NORMALIZATION})
    low, high = contract.value_range()
    stats = self._table(2, {0: self._floats(high), 1: self._floats(low)})
    return self._table(
      7,
      {
        0: self.to.CreateString('image'),
        3: content,
        4: self._vector([unit]),
        5: stats,
      },
    )

  def _output(self, name: str) -> int:
    if name not in LABELLED:
      return self._table(7, {0: self.to.CreateString(name)})
    file = self._table(
      5, {0: self.to.CreateString(self.labels)}, bytes_={2: AXIS_LABELS}
    )
    return self._table(7, {0: self.to.CreateString(name), 6: self._vector([file])})

  def _table(
    self, slots: int, positions: dict[int, int] | None = None, bytes_=None
  ) -> int:
    self.to.StartObject(slots)
    for slot, position in (positions or {}).items():
      self.to.PrependUOffsetTRelativeSlot(slot, position, 0)
    for slot, value in (bytes_ or {}).items():
      self.to.PrependUint8Slot(slot, value, 0)
    return self.to.EndObject()

  def _vector(self, positions: Sequence[int]) -> int:
    self.to.StartVector(4, len(positions), 4)
    for position in reversed(positions):
      self.to.PrependUOffsetTRelative(position)
    return self.to.EndVector()

  def _floats(self, values: Sequence[float]) -> int:
    self.to.StartVector(4, len(values), 4)
    for value in reversed(values):
      self.to.PrependFloat32(float(value))
    return self.to.EndVector()

"""What a TFLite file says of its use: class labels and the normalisation of its input.

TFLite Metadata (https://ai.google.dev/edge/litert/models/metadata): the labels are in a
zip behind the model, the rest is a flatbuffer of its own inside the model.
"""

import io
import zipfile

import numpy as np

SAID = 'mobilenet-jax.json'  # in the zip: what this project says of its exports

# Positions in the tables of metadata_schema.fbs, which no light package brings along.
SUBGRAPHS = 3  # ModelMetadata.subgraph_metadata
INPUTS = 2  # SubGraphMetadata.input_tensor_metadata
PROCESS_UNITS = 4  # TensorMetadata.process_units
OPTIONS_TYPE, OPTIONS = 0, 1  # ProcessUnit's union
NORMALIZATION = 1  # ProcessUnitOptions.NormalizationOptions
MEAN, STD = 0, 1  # NormalizationOptions


def said(data: bytes) -> str | None:
  """What an export of this project says of itself, as JSON; see `export.program`.

  Raises:
    zipfile.BadZipFile, zlib.error: the archive is damaged.
  """
  return _texts(data, SAID).get(SAID)


def labels(data: bytes) -> list[str] | None:
  """The class names of a file's bytes: of labels.txt, or of the only text there.

  Raises:
    zipfile.BadZipFile, zlib.error: the archive is damaged.
  """
  texts = _texts(data, '.txt')
  chosen = [name for name in texts if name == 'labels.txt'] or list(texts)
  if len(chosen) != 1:
    return None
  return [line.strip() for line in texts[chosen[0]].splitlines() if line.strip()]


def _texts(data: bytes, ending: str) -> dict[str, str]:
  """The files behind the model whose names end so; none where there is no archive."""
  stream = io.BytesIO(data)
  if not zipfile.is_zipfile(stream):
    return {}
  with zipfile.ZipFile(stream) as archive:
    names = [name for name in archive.namelist() if name.endswith(ending)]
    return {name: archive.read(name).decode('utf-8') for name in names}


def normalisation(metadata: bytes) -> dict[str, tuple[float, ...]] | None:
  """{'mean', 'std'} that inputs of 0 to 255 are normalised by: (x - mean) / std.

  One value for all channels or one a channel, of the model's first input.

  Args:
    metadata: the buffer of the model's entry 'TFLITE_METADATA'.
  """
  root = _root(metadata)
  for subgraph in _tables(root, SUBGRAPHS)[:1]:
    for tensor in _tables(subgraph, INPUTS)[:1]:
      for unit in _tables(tensor, PROCESS_UNITS):
        options = _options(unit)
        if options is not None:
          return {'mean': _floats(options, MEAN), 'std': _floats(options, STD)}
  return None


def _root(data: bytes):
  from flatbuffers import encode, number_types, table

  start = encode.Get(number_types.UOffsetTFlags.packer_type, data, 0)
  return table.Table(data, start)


def _field(table, position: int) -> int:
  """Where a table's field lies, counted from the table; 0 where it has none."""
  return table.Offset(4 + 2 * position)


def _tables(table, position: int) -> list:
  field = _field(table, position)
  if not field:
    return []
  start = table.Vector(field)
  places = (start + 4 * n for n in range(table.VectorLen(field)))
  return [type(table)(table.Bytes, table.Indirect(place)) for place in places]


def _options(unit):
  """A process unit's options where they are of normalisation."""
  kind, options = _field(unit, OPTIONS_TYPE), _field(unit, OPTIONS)
  if not (kind and options) or unit.Bytes[unit.Pos + kind] != NORMALIZATION:
    return None
  return type(unit)(unit.Bytes, unit.Indirect(unit.Pos + options))


def _floats(table, position: int) -> tuple[float, ...]:
  field = _field(table, position)
  if not field:
    return ()
  values = np.frombuffer(
    table.Bytes, '<f4', table.VectorLen(field), offset=table.Vector(field)
  )
  return tuple(float(value) for value in values)

"""JSON files in a search's folder, read back: what they hold is checked at once.

    said = read(path, {'unit': str, 'networks': [{'name': str}]}, 'remove it')

A file may be cut short, or edited by hand; it then ends in one line that names it.
"""

import json
import pathlib
import types
from typing import Any

from mobilenet.training import files

NUMBER = int | float
Shape = type | types.UnionType | tuple | list | dict


def read(path: pathlib.Path, shape: Shape, remedy: str) -> Any:
  """What a file holds.

  Args:
    path: of it.
    shape: see `check`.
    remedy: what a person can do where it is damaged.

  Raises:
    TrainingError: it cannot be read, or holds something else.
  """
  with files.reading(path, remedy):
    value = json.loads(path.read_text(encoding='utf-8'))
    check(value, shape)
    return value


def check(value: Any, shape: Shape, name: str = 'what it holds') -> None:
  """Checks that a value is of a shape.

  Args:
    value: of JSON.
    shape: a type; a tuple of texts, one of these; [shape], a list of such; {str:
      shape}, any keys and such values; or {'key': shape, ...}, these keys at least.
    name: of the value, for the error.

  Raises:
    ValueError: it is not.
  """
  if isinstance(shape, tuple):
    if value not in shape:
      raise ValueError(f'{name} cannot be {str(value)[:40]!r}')
    return
  kind = shape if isinstance(shape, type | types.UnionType) else type(shape)
  is_bool = isinstance(value, bool)
  if not isinstance(value, kind) or (is_bool and kind not in (bool, object)):
    raise ValueError(f'{name} cannot be {str(value)[:40]!r}')
  if isinstance(shape, list):
    for each in value:
      check(each, shape[0], name)
  elif isinstance(shape, dict):
    fields = dict.fromkeys(value, shape[str]) if str in shape else shape
    for key, own in fields.items():
      if key not in value:
        raise ValueError(f'{key} is lacking')
      check(value[key], own, key)

"""`searched.json`: a network that a search found, as rows that a person can read."""

import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mobilenet.models import table, zoo
from mobilenet.models.rows import ModelError, Network
from mobilenet.training import files

FILE = 'searched.json'
FORMAT = 1


class Searched(NamedTuple):
  """A network with a name of its own.

  found: how it was found, for people: strategy, seed, costs with their units.
  """

  name: str
  network: Network
  found: dict[str, Any]

  @property
  def text(self) -> str:
    """The rows as a config holds them."""
    return table.to_text(self.network)


def write(path: str | os.PathLike, searched: Searched) -> None:
  """Writes a file that `read` gives back.

  Raises:
    ModelError: the name cannot be one.
    TrainingError: it cannot be written.
  """
  _check_name(searched.name, path)
  said = {
    'format': FORMAT,
    'name': searched.name,
    'rows': searched.text.split(table.SEPARATOR),
    'found': searched.found,
  }
  text = json.dumps(said, indent=2, ensure_ascii=False) + '\n'
  files.replace_file(pathlib.Path(path), text.encode())


def read(path: str | os.PathLike) -> Searched:
  """Reads a network.

  Raises:
    ModelError: there is no such file, or it is no network; the line names the row.
  """
  path = pathlib.Path(path).expanduser()
  path = path / FILE if path.is_dir() else path
  try:
    said = json.loads(path.read_text(encoding='utf-8'))
  except OSError as error:
    raise ModelError(
      f'the network {path} cannot be read: {error.strerror}; give a {FILE}'
    ) from error
  except (ValueError, RecursionError) as error:
    raise ModelError(f'the network {path} is no JSON: {error}') from error
  if not isinstance(said, Mapping) or not {'format', 'name', 'rows'} <= said.keys():
    raise ModelError(
      f'{path} is no network of a search: it needs format, name and rows'
    )
  if said['format'] != FORMAT:
    raise ModelError(
      f'{path} has format {said["format"]}, this reads {FORMAT}: write it anew'
    )
  rows = said['rows']
  if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
    raise ModelError(f'{path}: rows is a list of texts such as "Conv(3, 16, stride=2)"')
  found = said.get('found') or {}
  if not isinstance(found, Mapping):
    raise ModelError(
      f'{path}: found says how it was found, {{"strategy": "netadapt", ...}}'
    )
  _check_name(said['name'], path)
  try:
    network = table.from_text(table.SEPARATOR.join(rows))
  except ModelError as error:
    raise ModelError(f'{path}: {error}') from None
  return Searched(said['name'], network, dict(found))


def _check_name(name: Any, path) -> None:
  if not isinstance(name, str) or not re.fullmatch(r'\w[\w.+-]*', name):
    raise ModelError(
      f'{path}: {name!r} is no name of a network: use letters, 0-9, _ . -'
    )
  if name in zoo.NETWORKS:
    raise ModelError(
      f'{path}: {name} is a network that has a name already: give this one its own'
    )

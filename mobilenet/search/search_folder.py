"""The folder of a search: what was asked, and all networks that were scored.

    claim(folder, {'strategy': 'netadapt', 'budget': '0.7x', ...}, begun=False)
    write_archive(folder, lines)

`search.json` and `archive.jsonl` are for people and programs alike. Process 0 writes.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from mobilenet.search import json_file
from mobilenet.training import files
from mobilenet.training.errors import require

ASKED_FILE = 'search.json'
ARCHIVE_FILE = 'archive.jsonl'


def claim(
  folder: pathlib.Path,
  asked: Mapping[str, Any],
  *,
  begun: bool,
  elsewhere: Sequence[str] = (),
  changed: Mapping[str, str] | None = None,
) -> None:
  """Writes what is asked of a search, or checks that it is what was asked before.

  Args:
    folder: the search's.
    asked: of strings and numbers.
    begun: whether the folder holds a search. One that was refused leaves it free.
    elsewhere: fields that say where something is, and may differ.
    changed: field -> what is told if it differs, instead of its values.

  Raises:
    TrainingError: the folder holds another search; the line says which field differs.
  """
  before = _read(folder / ASKED_FILE) if begun else None
  if before is None:
    if jax.process_index() == 0:
      text = json.dumps(dict(asked), indent=2, ensure_ascii=False) + '\n'
      files.replace_file(folder / ASKED_FILE, text.encode())
    return
  for field, line in (changed or {}).items():
    require(before.get(field) == asked.get(field), line)
  # A field that is not there came with a later version.
  differing = [
    f'{field} {_said(before[field])} -> {_said(asked.get(field))}'
    for field in before
    if field not in elsewhere and before[field] != asked.get(field)
  ]
  require(
    not differing,
    f'{folder} holds another search ({"; ".join(differing)}, there -> here): choose '
    'another --workdir, or ask for the same',
  )


def _read(path: pathlib.Path) -> dict[str, Any] | None:
  if not path.exists():
    return None
  return json_file.read(
    path, {'strategy': str}, 'give it back, or choose another --workdir'
  )


def _said(value: Any) -> str:
  return 'nothing' if value is None else json.dumps(value, ensure_ascii=False)


def write_archive(folder: pathlib.Path, lines: Sequence[Mapping[str, Any]]) -> None:
  """Writes the archive, a network a line; whole or not at all."""
  if jax.process_index() == 0:
    text = ''.join(json.dumps(dict(line)) + '\n' for line in lines)
    files.replace_file(folder / ARCHIVE_FILE, text.encode())


def read_archive(
  folder: pathlib.Path, shape: json_file.Shape = dict
) -> list[dict[str, Any]]:
  """The lines that `write_archive` wrote; none where there is no archive.

  Args:
    folder: of the search.
    shape: of a line, as `json_file.check` takes it.

  Raises:
    TrainingError: it cannot be read.
  """
  path = folder / ARCHIVE_FILE
  if not path.exists():
    return []
  with files.reading(path, 'give it back, or choose another --workdir'):
    text = path.read_text(encoding='utf-8')
    lines = [json.loads(line) for line in text.splitlines()]
    json_file.check(lines, [shape], 'a line')
    return lines

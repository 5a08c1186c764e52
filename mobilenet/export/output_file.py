"""Writes what was exported, whole or not at all."""

import pathlib

from mobilenet.export.errors import ExportError
from mobilenet.training.files import TrainingError, replace_file


def write(path: str | pathlib.Path, data: bytes) -> pathlib.Path:
  """Writes a file; one that was there before stays if that fails.

  Raises:
    ExportError: it cannot be written.
  """
  try:
    return replace_file(path, data)
  except TrainingError as error:
    reason = getattr(error.__cause__, 'strerror', None) or error
    raise unwritable(path, reason) from error


def unwritable(path: str | pathlib.Path, reason: object) -> ExportError:
  """The error where `path` cannot be written."""
  return ExportError(
    f'cannot write {path}: {reason}; choose another place or make room'
  )

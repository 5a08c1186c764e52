"""What a format cannot hold, in one line for a person."""

from mobilenet.weights.weight_file import WeightsError

INSTALL = 'pip install -r requirements-export.txt'


class ExportError(WeightsError):
  """A network cannot be written in a format, or a file of it cannot be run."""


def missing(package: str, what: str) -> ExportError:
  """The error where an optional package is not installed."""
  return ExportError(f'{what} needs the package {package}: {INSTALL}')

"""What is said where a network cannot be exported, or an exported file not be used."""

from mobilenet.weights.weight_file import WeightsError


class ExportError(WeightsError):
  """A network or a file that a format cannot take; the message is for a person."""

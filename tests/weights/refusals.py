"""What a file that cannot be read is answered with."""

import pytest

from mobilenet.weights.weight_file import WeightsError


def complaint(read, given, name=None):
  """The one line of `read(given)`, which must fail and name the file."""
  with pytest.raises(WeightsError) as error:
    read(given)
  message = str(error.value)
  assert '\n' not in message
  assert (name or given.name) in message
  return message

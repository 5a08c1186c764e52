"""What a service has taken of a run, kept in the run's folder for the next start."""

import json
import pathlib
import uuid

from mobilenet.training import files
from mobilenet.training.errors import TrainingError


class Taken:
  """The id under which a service knows a run, and the last step it has of each kind.

  A run that resumes makes the lines after its checkpoint again. They are the same, to
  the bit, and the service must not get them twice.

  Args:
    path: the file; missing before the run's first start.

  Raises:
    TrainingError: the file cannot be read.
  """

  def __init__(self, path: pathlib.Path):
    self._path = path
    try:
      held = json.loads(path.read_text())
      self.id, self._steps = held['id'], dict(held['steps'])
    except FileNotFoundError:
      self.id, self._steps = None, {}
    except OSError as error:
      raise files.read_error(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
      raise TrainingError(
        f'{path} is damaged; delete it, and the run gets a new id there'
      ) from error

  def begin(self, new_id: str | None = None) -> str:
    """Keeps `new_id`, by default a random one, as the run's id; returns it."""
    self.id, self._steps = new_id or uuid.uuid4().hex[:16], {}
    self._keep()
    return self.id

  def has(self, step: int, kind: str) -> bool:
    return step <= self._steps.get(kind, 0)

  def add(self, step: int, kind: str) -> None:
    self._steps[kind] = step
    self._keep()

  def _keep(self) -> None:
    text = json.dumps({'id': self.id, 'steps': self._steps}) + '\n'
    files.replace_file(self._path, text.encode())

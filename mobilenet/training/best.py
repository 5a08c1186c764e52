"""The best state of a run so far, kept beside its checkpoints, and when to stop.

`<workdir>/best/` holds one checkpoint and `best.json`, steps and scores of the last two
that were best: it is written before the checkpoint, which a kill may prevent. A state
is better if the raw or the averaged weights score more by the task's metric than any
state before it; of equal ones the first is kept.
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
from jax.sharding import Mesh

from mobilenet.training import files, retries
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.errors import TrainingError
from mobilenet.training.state import TrainState, restore
from mobilenet.training.workdir import local_path, newest_step

FOLDER, FILE = 'best', 'best.json'
WITHOUT = 'the newest checkpoint counts instead'  # once the best one is deleted


class Best:
  """Keeps the best state that was evaluated.

  Args:
    workdir: the run's folder.
    metric: by which states are compared; more is better.
    patience: evaluations without a better one after which a run is over; None for all
      of its steps.
    eval_steps: from one evaluation to the next.

  Raises:
    TrainingError: the folder cannot be made or read.
  """

  def __init__(
    self,
    workdir: str | os.PathLike,
    metric: str,
    *,
    patience: int | None,
    eval_steps: int,
  ):
    self._folder = local_path(workdir) / FOLDER
    self._metric, self._patience, self._eval_steps = metric, patience, eval_steps
    self._checkpointer = Checkpointer(self._folder, keep=1, without=WITHOUT)
    self.step, self._score = self._read()

  def offer(self, step: int, state: TrainState, evaluations: Mapping[str, Any]) -> None:
    """Keeps the state of a step if it is the best.

    Raises:
      TrainingError: it cannot be written.
    """
    scores = [evaluation.metrics[self._metric] for evaluation in evaluations.values()]
    score = max((s for s in scores if not math.isnan(s)), default=-math.inf)
    if score <= self._score:
      return
    known = [[step, score]]
    known += [] if self.step is None else [[self.step, self._score]]
    if jax.process_index() == 0:
      text = json.dumps({'best': known, 'metric': self._metric}) + '\n'
      retries.write(lambda: files.replace_file(self._folder / FILE, text.encode()))
    self._checkpointer.save(step, state)
    self._checkpointer.wait()
    self.step, self._score = step, score

  def is_over(self, step: int) -> bool:
    """Whether nothing better came for so long that a run ends at this step."""
    if self._patience is None or self.step is None:
      return False
    since = step // self._eval_steps - self.step // self._eval_steps
    return since >= self._patience

  def state(self, like: TrainState, model: nn.Module, mesh: Mesh) -> TrainState:
    """Reads the best state; see `state.restore`."""
    return restore(self._checkpointer, like, model, mesh)

  def close(self) -> None:
    self._checkpointer.close()

  def __enter__(self) -> 'Best':
    return self

  def __exit__(self, *_: Any) -> None:
    self.close()

  def _read(self) -> tuple[int | None, float]:
    step = self._checkpointer.latest_step()
    if step is None:
      return None, -math.inf
    path = self._folder / FILE
    try:
      known = dict(json.loads(path.read_text(encoding='utf-8'))['best'])
      return step, float(known[step])
    except OSError as error:
      raise files.read_error(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
      raise TrainingError(
        f'{path} is not as training wrote it ({error!r}); remove {self._folder} to '
        'keep the best of what comes from here on'
      ) from error


def holds_one(workdir: str | os.PathLike) -> bool:
  """Whether a run's folder has a best checkpoint."""
  return newest_step(local_path(workdir) / FOLDER) is not None

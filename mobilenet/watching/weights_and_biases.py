"""A run's log in Weights & Biases; WANDB_MODE=offline keeps it in the run's folder."""

import os
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

from mobilenet.watching.taken import Taken

RUN_FILE = 'wandb.json'
PROJECT = 'mobilenet'  # where WANDB_PROJECT names none
# An upload that takes longer goes on at its own pace, and the report does not wait.
WAIT_AT_THE_END = 120  # seconds


class WeightsAndBiases:
  """One run of the service; the environment says where and how (WANDB_...).

  Args:
    folder: the run's, with the service's own files under `wandb`.
    fields: of the config, dotted.
  """

  def __init__(self, folder: pathlib.Path, fields: Mapping[str, Any]):
    self._folder, self._fields = folder, fields

  def open(self, start_step: int) -> None:
    import wandb

    self._taken = Taken(self._folder / RUN_FILE)
    self._run = wandb.init(
      project=os.environ.get('WANDB_PROJECT', PROJECT),
      name=self._folder.name,
      id=self._taken.id or self._taken.begin(),
      resume='allow',
      dir=str(self._folder),
      # A run may be lengthened.
      config=dict(self._fields),
      allow_val_change=True,
      # What the terminal shows stays as it is; its bar would fill the service's log.
      settings=wandb.Settings(console='off'),
    )

  def write(self, step: int, metrics: Mapping[str, Any], kind: str) -> None:
    if self._taken.has(step, kind):
      return
    self._run.log({f'{kind}/{k}': float(v) for k, v in metrics.items()}, step=step)
    self._taken.add(step, kind)

  def close(self, failed: bool) -> None:
    errors = []

    def finish() -> None:
      try:
        self._run.finish(exit_code=int(failed))
      except Exception as error:
        errors.append(error)

    waiting = threading.Thread(target=finish, daemon=True)
    waiting.start()
    waiting.join(WAIT_AT_THE_END)
    if errors:
      raise errors[0]
    if waiting.is_alive():
      raise TimeoutError(
        f'the service did not take everything within {WAIT_AT_THE_END} s; '
        f'`wandb sync {self._folder / "wandb"}/run-*` sends what it lacks'
      )

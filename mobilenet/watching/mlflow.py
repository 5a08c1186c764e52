"""A run's log in MLflow: a server, or a file of SQLite (MLFLOW_TRACKING_URI)."""

import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

from mobilenet.watching.taken import Taken

RUN_FILE = 'mlflow.json'
EXPERIMENT = 'mobilenet'  # where MLFLOW_EXPERIMENT_NAME names none
# MLflow waits for minutes, and while it waits nothing is trained. Where the environment
# says nothing else, a server that is away costs a run about half a minute, once.
PATIENCE = {'MLFLOW_HTTP_REQUEST_TIMEOUT': '10', 'MLFLOW_HTTP_REQUEST_MAX_RETRIES': '2'}
_MOST_PARAMETERS = 100  # in a request


class MLflow:
  """One run of the service.

  Its parameters are the config at the run's first start: MLflow lets none be changed.

  Args:
    folder: the run's.
    fields: of the config, dotted.
  """

  def __init__(self, folder: pathlib.Path, fields: Mapping[str, Any]):
    self._folder, self._fields = folder, fields

  def open(self, start_step: int) -> None:
    for name, value in PATIENCE.items():
      os.environ.setdefault(name, value)
    import mlflow

    self._metric = mlflow.entities.Metric
    self._client = mlflow.MlflowClient()
    self._taken = Taken(self._folder / RUN_FILE)
    if self._taken.id is None:
      self._create(mlflow.entities.Param)
    else:
      self._client.update_run(self._taken.id, status='RUNNING')

  def _create(self, param: type) -> None:
    name = os.environ.get('MLFLOW_EXPERIMENT_NAME', EXPERIMENT)
    experiment = self._client.get_experiment_by_name(name)
    run = self._client.create_run(
      experiment.experiment_id if experiment else self._client.create_experiment(name),
      run_name=self._folder.name,
      tags={'folder': str(self._folder)},
    )
    params = [param(field, str(value)) for field, value in self._fields.items()]
    for first in range(0, len(params), _MOST_PARAMETERS):
      some = params[first : first + _MOST_PARAMETERS]
      self._client.log_batch(run.info.run_id, params=some)
    self._taken.begin(run.info.run_id)

  def write(self, step: int, metrics: Mapping[str, Any], kind: str) -> None:
    if self._taken.has(step, kind):
      return
    now = int(time.time() * 1000)
    self._client.log_batch(
      self._taken.id,
      metrics=[
        self._metric(f'{kind}/{name}', float(value), now, step)
        for name, value in metrics.items()
      ],
    )
    self._taken.add(step, kind)

  def close(self, failed: bool) -> None:
    self._client.set_terminated(self._taken.id, 'FAILED' if failed else 'FINISHED')

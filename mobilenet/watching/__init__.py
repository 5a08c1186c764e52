"""Where else a run's log goes: Prometheus, Weights & Biases, MLflow.

    watchers = make(parse('prometheus,wandb'), folder, fields, ...)
    logs.Writer(folder, also=watchers)

`metrics.jsonl` and TensorBoard are always written, by `training/logs.py`. The ones here
are asked for, need packages of requirements-watch.txt, and are of process 0 alone.
"""

import importlib.util
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from mobilenet.training.errors import TrainingError, unknown_name
from mobilenet.watching.mlflow import MLflow
from mobilenet.watching.prometheus import Prometheus
from mobilenet.watching.watchers import Watchers
from mobilenet.watching.weights_and_biases import WeightsAndBiases

# Name -> the package that it needs.
PACKAGES = {'prometheus': 'prometheus_client', 'wandb': 'wandb', 'mlflow': 'mlflow'}


def parse(text: str | None) -> tuple[str, ...]:
  """'wandb,mlflow' -> ('wandb', 'mlflow').

  Raises:
    TrainingError: an unknown name.
  """
  names = [name.strip() for name in (text or '').split(',')]
  names = tuple(dict.fromkeys(filter(None, names)))
  for name in names:
    if name not in PACKAGES:
      raise unknown_name('--log_to', name, PACKAGES)
  return names


def check_installed(names: Sequence[str]) -> None:
  """Checks that the packages are there, and imports none of them.

  Raises:
    TrainingError: one is missing; the line says how to install it.
  """
  for name in names:
    if importlib.util.find_spec(PACKAGES[name]) is None:
      raise TrainingError(
        f'--log_to={name} needs the package {PACKAGES[name]}: pip install '
        f"'{PACKAGES[name]}' (requirements-watch.txt has all of them), or leave it out"
      )


def make(
  names: Sequence[str],
  folder: pathlib.Path,
  fields: Mapping[str, Any],
  *,
  total_steps: int,
  batch_size: int,
) -> Watchers | None:
  """The watchers of these names, none of them open yet; None where there are no names.

  Args:
    names: of `parse`.
    folder: the run's.
    fields: of the config, dotted.
    total_steps: of the run.
    batch_size: over all devices.
  """
  made = {
    'prometheus': lambda: Prometheus(
      folder, total_steps=total_steps, batch_size=batch_size
    ),
    'wandb': lambda: WeightsAndBiases(folder, fields),
    'mlflow': lambda: MLflow(folder, fields),
  }
  return Watchers({name: made[name]() for name in names}) if names else None

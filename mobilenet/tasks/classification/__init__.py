"""Which of K classes an image shows."""

from typing import Any

from ml_collections import ConfigDict

from mobilenet.tasks.classification.task import Classification


def make_task(config: ConfigDict) -> Classification:
  """The task with the loss of a config.

  Raises:
    TrainingError: an unknown loss, or a field that does nothing for it.
  """
  return Classification(**loss_of(config), **config.report)


def loss_of(config: ConfigDict) -> dict[str, Any]:
  """The fields of a `Classification` that say what it learns from."""
  return {
    'loss_name': config.loss.name,
    'target_threshold': config.loss.target_threshold,
    'sum_classes': config.loss.sum_classes,
    'label_smoothing': config.loss.label_smoothing,
    'l2': config.loss.l2,
    'l2_depthwise': config.loss.l2_depthwise,
    'balance': config.loss.balance,
    'hard': config.teacher.hard,
    'temperature': config.teacher.temperature,
    'features': config.teacher.features,
  }

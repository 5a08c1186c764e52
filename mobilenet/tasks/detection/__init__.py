"""Which objects an image shows, and where."""

from ml_collections import ConfigDict

from mobilenet.tasks.detection.task import Detection
from mobilenet.tasks.losses import refuse_of_classifiers


def make_task(config: ConfigDict) -> Detection:
  """The task of a config with a `detection` section (`configs/detection.py`).

  Raises:
    TrainingError: a wrong field.
  """
  refuse_of_classifiers(config.loss)
  return Detection(
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    **config.get('detection', {}),  # imported runs have none
  )

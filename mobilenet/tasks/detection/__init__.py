"""Which objects an image shows, and where."""

from ml_collections import ConfigDict

from mobilenet.tasks.detection.task import Detection
from mobilenet.tasks.losses import check_unnamed
from mobilenet.training.errors import require


def make_task(config: ConfigDict) -> Detection:
  """The task of a config with a `detection` section (`configs/detection.py`).

  Raises:
    TrainingError: a wrong field.
  """
  check_unnamed(config.loss)
  for field in ('label_smoothing', 'balance'):
    require(
      not config.loss[field],
      f'--config.loss.{field}={config.loss[field]:g} is for classifiers; set it to 0',
    )
  return Detection(
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    **config.get('detection', {}),  # imported runs have none
  )

"""Which class each pixel of an image belongs to."""

from ml_collections import ConfigDict

from mobilenet.tasks.losses import refuse_of_classifiers
from mobilenet.tasks.segmentation.task import Segmentation


def make_task(config: ConfigDict) -> Segmentation:
  """The task of a config with a `segmentation` section (`configs/segmentation.py`).

  Raises:
    TrainingError: a wrong field.
  """
  refuse_of_classifiers(config.loss)
  fields = dict(config.get('segmentation', {}))  # imported runs have none
  return Segmentation(
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    class_weights=tuple(fields.pop('class_weights', ())),
    **fields,
  )

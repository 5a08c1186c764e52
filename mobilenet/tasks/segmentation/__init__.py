"""Which class each pixel of an image belongs to."""

from ml_collections import ConfigDict

from mobilenet.tasks.losses import check_unnamed
from mobilenet.tasks.segmentation.task import Segmentation
from mobilenet.training.errors import require


def make_task(config: ConfigDict) -> Segmentation:
  """The task of a config with a `segmentation` section (`configs/segmentation.py`).

  Raises:
    TrainingError: a wrong field.
  """
  check_unnamed(config.loss)
  for field in ('label_smoothing', 'balance'):
    require(
      not config.loss[field],
      f'--config.loss.{field}={config.loss[field]:g} is for classifiers; for pixels '
      'there is --config.segmentation.class_weights; set it to 0',
    )
  fields = dict(config.get('segmentation', {}))  # imported runs have none
  return Segmentation(
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    class_weights=tuple(fields.pop('class_weights', ())),
    **fields,
  )

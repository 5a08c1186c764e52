"""Which of K tags hold for an image; any number may."""

from ml_collections import ConfigDict

from mobilenet.tasks.losses import refuse_of_classifiers
from mobilenet.tasks.tags.task import Tags
from mobilenet.training.errors import require


def make_task(config: ConfigDict) -> Tags:
  """The task with the loss of a config.

  Raises:
    TrainingError: a field that is for classes.
  """
  positive = config.report.get('positive', '')
  require(
    not positive,
    f'--config.report.positive={positive} is for two classes; of tags each has its own '
    "threshold: set it to ''",
  )
  refuse_of_classifiers(config.loss, but=('label_smoothing', 'balance'))
  return Tags(
    label_smoothing=config.loss.label_smoothing,
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    balance=config.loss.balance,
    hard=config.teacher.hard,
    temperature=config.teacher.temperature,
    features=config.teacher.features,
  )

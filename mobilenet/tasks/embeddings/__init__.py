"""Where images lie on a sphere: near those of the same thing, far from others."""

from ml_collections import ConfigDict

from mobilenet.tasks.embeddings.task import Embeddings
from mobilenet.tasks.losses import refuse_of_classifiers
from mobilenet.training.errors import require


def make_task(config: ConfigDict) -> Embeddings:
  """The task of a config with an `embeddings` section (`configs/embeddings.py`).

  Raises:
    TrainingError: a wrong field.
  """
  refuse_of_classifiers(config.loss)
  fields = dict(config.get('embeddings', {}))  # imported runs have none
  require(
    fields.get('loss') != 'distance' or config.teacher.features > 0,
    '--config.embeddings.loss=distance is the distance to a teacher, and its weight is '
    '0: --config.teacher.features=1 and --config.teacher.weights=runs/teacher',
  )
  return Embeddings(
    objective=fields.pop('loss', 'distance'),
    l2=config.loss.l2,
    l2_depthwise=config.loss.l2_depthwise,
    features=config.teacher.features,
    **fields,
  )

"""What all embedders share: the fields of their loss, and how they are made quick."""

from configs import common


def base():
  """`common.base` for the task of embeddings; the network stays to be named."""
  config = common.base()
  config.model.frozen_norms = False  # the trunk keeps its running statistics
  config.model.embedding = 128  # numbers of an embedding
  config.model.pooling = common.placeholder(str)  # 'gap' or 'gdc', see embedders.py
  config.task = 'embeddings'
  config.new_head = True  # the classes of other weights are others

  config.embeddings = common.ConfigDict()
  # 'arcface', 'cosface' or 'softmax'; 'distance' is that to a teacher alone, which
  # --config.teacher.features can also add to the others.
  config.embeddings.loss = 'arcface'
  config.embeddings.scale = 64.0  # of the cosines
  config.embeddings.margin = common.placeholder(float)  # 0.5 or 0.4, as published

  config.data.name = 'folder'
  config.data.eval_split = 'val'
  config.data.eval_ops = 'resize({resolution})|value_range(-1, 1)'
  config.keep_best = True
  return config


def quick(config):
  """A minute on made images, to see that all of it runs."""
  config = common.quick(config)
  config.data.made_examples = 128
  config.model.frozen_norms = False
  return config

"""What all segmenters share: the fields of their loss, and where pictures come from."""

from configs import common


def base():
  """`common.base` for the task of segmentation; the network stays to be named."""
  config = common.base()
  config.model.frozen_norms = False  # the trunk keeps its running statistics
  config.task = 'segmentation'

  config.segmentation = common.ConfigDict()
  config.segmentation.class_weights = ()  # how much a pixel of each class counts
  config.segmentation.auxiliary_weight = 0.5  # of a second head, where there is one

  config.data.annotations = ''  # of a folder: the masks' folder, '' looks for it
  config.data.shuffle_buffer = 2_000
  config.eval_batch_size = 8
  return config


def scaled_crops(config, low, high):
  """Training on crops of `resolution` from pictures scaled by `low` to `high`."""
  config.data.train_ops = (
    f'scale_crop({{resolution}}, {low}, {high})|flip|value_range(-1, 1)'
  )
  return config


def deeplab(config, *, batch_size, steps, examples):
  """DeepLab's optimizer and schedule (1706.05587, section 4.1)."""
  config.batch_size = batch_size
  config.epochs = steps * batch_size / examples
  config.optimizer.name = 'sgd'
  config.optimizer.momentum = 0.9
  config.schedule.name = 'polynomial'
  config.schedule.power = 0.9
  config.schedule.learning_rate = 0.007
  config.loss.l2 = 4e-5
  config.loss.l2_depthwise = True
  config.eval_every_epochs = config.checkpoint_every_epochs = max(
    1.0, config.epochs / 20
  )
  return config


def quick(config):
  """A minute on made pictures of coloured shapes, to see that all of it runs."""
  config = common.quick(config)
  config.data.name = 'made_masks'
  config.data.eval_ops = 'resize({resolution})|value_range(-1, 1)'
  return config

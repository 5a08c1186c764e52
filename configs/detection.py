"""What all detectors share: the fields of their loss and decoding, and COCO's data."""

from configs import common

COCO_TRAIN = 118_287  # pictures of train2017


def base():
  """`common.base` for the task of detection; the network stays to be named."""
  config = common.base()
  config.model.frozen_norms = False  # the trunk keeps its running statistics
  config.task = 'detection'
  config.resolution = 320

  config.detection = common.ConfigDict()
  config.detection.class_loss = 'focal'  # or 'hard_negatives'
  config.detection.box_weight = 1.0  # of the boxes' loss beside the classes'
  config.detection.candidates = 300  # best scores of a picture that are compared
  config.detection.most = 100  # objects of a picture
  config.detection.overlap = 0.6  # IoU above which the worse of two boxes is dropped
  config.detection.least_score = 1e-8

  config.data.name = 'coco/2017'
  config.data.annotations = ''  # of a folder: a file or folder, '' looks for them
  config.data.train_ops = 'ssd_crop|flip|resize({resolution})|value_range(-1, 1)'
  config.data.eval_ops = 'resize({resolution})|value_range(-1, 1)'
  config.data.shuffle_buffer = 5_000
  config.eval_batch_size = 32
  return config


def on_coco(config, *, batch_size, steps, learning_rate, warmup_steps, warmup_from):
  """The recipes of TensorFlow's detectors: momentum 0.9, a cosine, L2 of 4e-5.

  `warmup_from` is the rate that the ramp begins with.
  """
  epochs = batch_size / COCO_TRAIN
  config.batch_size = batch_size
  config.epochs = steps * epochs
  config.optimizer.name = 'sgd'
  config.optimizer.momentum = 0.9
  config.schedule.learning_rate = learning_rate
  config.schedule.warmup_epochs = warmup_steps * epochs
  config.schedule.warmup_from = warmup_from
  config.loss.l2 = 4e-5
  config.loss.l2_depthwise = True
  config.model.norm_momentum = 0.97
  config.model.norm_epsilon = 0.001
  config.eval_every_epochs = config.checkpoint_every_epochs = 5.0
  return config


def quick(config):
  """A minute on made pictures of coloured shapes, to see that all of it runs."""
  config = common.quick(config)
  config.data.name = 'made_boxes'
  config.resolution = 96
  return config

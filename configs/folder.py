"""A MobileNetV3-Small from scratch on your own photos.

    python main.py --config=configs/folder.py --config.data.dir=photos

`photos` holds train/<class>/*.jpg and val/<class>/*.jpg, or one folder a class; then a
fifth of each class is put aside for evaluation, the same images every time.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(
    arg, model='mobilenet_v3_small', width=1.0, resolution=112, epochs=60.0
  )
  config = common.base()
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.dropout = 0.2
  config.model.norm_momentum = 0.97
  config.resolution = arg['resolution']
  config.data.name = 'folder'
  config.data.eval_split = 'val'
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.25, 1))|flip|color|value_range(-1, 1)'
  )
  config.data.eval_ops = (
    'central_fraction(0.875)|resize({resolution})|value_range(-1, 1)'
  )
  config.batch_size = 64
  config.eval_batch_size = 128
  config.epochs = arg['epochs']
  config.optimizer.eps = 0.001
  config.schedule.learning_rate = 0.01
  config.schedule.warmup_epochs = 3.0
  config.loss.label_smoothing = 0.1
  config.loss.l2 = 1e-5
  config.ema_decay = 0.999
  config.log_steps = 50
  config.eval_every_epochs = 5.0
  config.checkpoint_every_epochs = 5.0
  return config

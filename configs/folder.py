"""A MobileNetV3-Small from scratch on your own photos.

    python main.py --config=configs/folder.py --config.data.dir=photos

`photos` holds train/<class>/*.jpg and val/<class>/*.jpg, or one folder per class.
In the second case a fifth of each class is set aside for evaluation, always the same
images.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(
    arg, model='mobilenet_v3_small', width=1.0, resolution=96, epochs=50.0
  )
  config = common.base()
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.dropout = 0.2
  config.model.norm_momentum = 0.97
  config.resolution = arg['resolution']
  common.photos(config)
  config.epochs = arg['epochs']
  common.adamw(config, 0.003)
  config.schedule.warmup_epochs = 3.0
  config.ema_decay = 0.99
  config.log_steps = 50
  config.eval_every_epochs = 5.0
  config.checkpoint_every_epochs = 5.0
  return config


def sweep(name='seeds'):
  yield from common.choose(
    name,
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.0003, 0.001, 0.003, 0.01),
    folds=common.folds(),
  )

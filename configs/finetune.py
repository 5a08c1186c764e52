"""Other people's ImageNet weights, fine-tuned on your own photos.

    python main.py --config=configs/finetune.py --config.data.dir=photos \
      --config.init=mobilenet_v2-b0353104.pth

The network, its width and how images are prepared are read from the weight file; the
classifier is new. `--job=import` makes a workdir from the weights as they are.
"""

from ml_collections.config_dict import placeholder

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(arg, epochs=10.0)
  config = common.base()
  config.new_head = True
  config.resolution = placeholder(int)  # the weights' own
  config.model.dropout = 0.2
  config.model.norm_momentum = 0.97
  common.photos(config)
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.25, 1))|flip|color|{normalize}'
  )
  config.data.eval_ops = '{contract}'
  config.batch_size = 32
  config.epochs = arg['epochs']
  common.adamw(config, 0.0005)
  config.schedule.warmup_epochs = 1.0
  config.ema_decay = 0.99
  config.log_steps = 20
  return config


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.0002, 0.0005, 0.001),
    seeds=common.seeds(3),
  )

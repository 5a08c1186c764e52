"""A new classifier for your photos on other people's ImageNet weights, in a minute.

    python main.py --config=configs/transfer.py --config.data.dir=photos \
      --config.init=mobilenet_v2-b0353104.pth

The network is frozen: it keeps its values and its running statistics. What it makes of
a photo is computed once and kept in ~/.cache/mobilenet-jax, so that a second run takes
seconds. It is a good start with few photos; configs/finetune.py, which trains the whole
network, takes longer and is usually better.
"""

from configs import common, finetune


def get_config(arg=None):
  arg = common.parse_arg(arg, epochs=20.0)
  config = finetune.get_config()
  config.model.trained = 'classifier'
  config.head_first.epochs = 0.0
  config.data.train_ops = '{contract}'  # nothing is drawn: each photo is computed once
  config.batch_size = 64
  config.epochs = arg['epochs']
  config.schedule.learning_rate = 0.003
  config.schedule.warmup_epochs = 0.0
  # More numbers than photos in most folders: a strong decay; 0.05 to 1 gave the flowers
  # 0.8 points.
  config.optimizer.weight_decay = 1.0
  config.checkpoint_every_epochs = arg['epochs']
  config.eval_every_epochs = arg['epochs'] / 10  # a curve, of what takes no time
  return config


def sweep(name='folds'):
  yield from common.choose(
    name,
    folds=common.folds(),
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.001, 0.003, 0.01),
  )

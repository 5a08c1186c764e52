"""Other people's ImageNet weights, the network frozen, a new classifier on your photos.

    python main.py --config=configs/transfer.py --config.data.dir=photos \
      --config.init=mobilenet_v2-b0353104.pth
"""

from configs import common, finetune


def get_config(arg=None):
  arg = common.parse_arg(arg, epochs=30.0)
  config = finetune.get_config()
  config.model.trained = 'classifier'
  config.model.dropout = 0.2
  config.data.train_ops = '{contract}'
  config.batch_size = 64
  config.epochs = arg['epochs']
  common.adamw(config, 0.003)
  config.schedule.warmup_epochs = 0.0
  config.ema_decay = 0.99
  config.eval_every_epochs = config.checkpoint_every_epochs = arg['epochs']
  return config

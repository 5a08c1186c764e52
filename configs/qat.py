"""A fine-tuned network that learns to be a file of integers: training while rounded.

    python main.py --config=configs/finetune.py --config.data.dir=photos \
      --config.init=mobilenet_v2-b0353104.pth --workdir=runs/finetune
    python main.py --config=configs/qat.py --config.data.dir=photos \
      --config.init=runs/finetune --workdir=runs/qat
    python main.py --job=export --workdir=runs/qat --format=tflite --precision=int8

The norms are folded into the convolutions and stay as they are. In the forward pass
values and kernels are rounded exactly where the file rounds them, so that its accuracy
is that of the run (1712.05877, section 3). Ranges begin as calibration finds them and
then follow the batches. The file takes them over, and is not calibrated.

It trains at the weights' own resolution. Where the fine-tuning had another, give that
again: --config.resolution=128.

It is for networks that lose accuracy by rounding alone: look at --precision=int8 of the
fine-tuned run first. `kind` is that of the fine-tuning: see `configs/finetune.py`.
"""

from configs import common, finetune


def get_config(arg=None):
  arg = common.parse_arg(arg, epochs=3.0, kind='natural')
  config = finetune.get_config(kind=arg['kind'])
  config.model.rounded = True
  config.model.dropout = 0.0
  config.model.norm_momentum = 0.99  # of the ranges
  config.new_head = False
  config.head_first.epochs = 0.0
  config.epochs = arg['epochs']
  config.schedule.learning_rate = 0.00003
  config.schedule.warmup_epochs = 0.5
  config.optimizer.weight_decay = 0.0
  config.ema_decay = None
  return config


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.00001, 0.00003, 0.0001),
    seeds=common.seeds(3),
  )

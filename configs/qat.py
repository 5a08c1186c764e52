"""A fine-tuned network that learns to be a file of integers: training while rounded.

    python main.py --config=configs/finetune.py --config.data.dir=photos \
      --config.init=mobilenet_v2-b0353104.pth --workdir=runs/finetune
    python main.py --config=configs/qat.py --config.data.dir=photos \
      --config.init=runs/finetune --workdir=runs/qat
    python main.py --job=export --workdir=runs/qat --format=tflite --precision=int8

The norms are folded into the convolutions and stay as they are. In the forward pass
values and kernels are rounded where the file rounds them (1712.05877, section 3). The
ranges begin as calibration finds them and then follow the batches. The file takes them
over, and is not calibrated.

It answers as the run does but for the order of sums. In a deep network a value that
falls to the next byte moves many others, so that some photos near a border change their
class: of the runtime's own two sets of integer kernels as much as of the run and the
file.

It is for networks that lose accuracy by rounding: look at --precision=int8 of the
fine-tuned run first. MobileNetV2 at 128 px, fine-tuned on 2,934 photos of flowers, lost
nothing, and here is nothing to gain: of 736 photos the floats named 91.4 %, the
calibrated file 91.8 %, this run 91.6 % and its file 90.9 %, which chance explains.

It trains at the weights' own resolution. Where the fine-tuning had another, give that
again: --config.resolution=128. `kind` is that of the fine-tuning: see
`configs/finetune.py`.
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

"""MobileNetV1 on ImageNet (https://arxiv.org/abs/1704.04861).

    python main.py --config=configs/v1.py
    python main.py --config=configs/v1.py:width=0.5,resolution=160
    python main.py --config=configs/v1.py:variant=shallow

variant: '' (Table 1), 'full_conv' (Table 4) or 'shallow' (Table 5).
Published top-1 at 224 px: width 1.0 70.6 %, 0.75 68.4, 0.5 63.7, 0.25 50.6 (Table 6);
full_conv 71.7 (Table 4), shallow 65.3 (Table 5).
Not run here: 300 epochs of ImageNet are 375,000 steps of batch 1024.

Recipe: the paper names TensorFlow's RMSprop, little distortion, no label smoothing and
no L2 on depthwise kernels, but gives no numbers. They come from Google's TPU code for
this network: batch 1024, learning rate 0.165, times 0.94 every 3 epochs, eps 1,
averages. L2 4e-5 and dropout 0.001 are TF-slim's. No source gives the length; 300
epochs are our choice. The paper's gradients came from asynchronous workers, ours don't:
see configs/staleness.py.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(arg, width=1.0, resolution=224, variant='', quick=False)
  config = common.base()
  config.model.name = '_'.join(filter(None, ('mobilenet_v1', arg['variant'])))
  config.model.width = arg['width']
  config.model.dropout = 0.001
  config.model.norm_momentum = 0.99  # the global batch of 1024, not slim's 64
  config.resolution = arg['resolution']
  # "Limiting the size of small crops": at least 25 % of the area instead of 8 %.
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.25, 1))|flip|value_range(-1, 1)'
  )
  config.batch_size = 1024
  config.epochs = 300.0
  config.optimizer.eps = 1.0
  config.schedule.name = 'exponential'
  config.schedule.learning_rate = 0.165
  config.schedule.decay_rate = 0.94
  config.schedule.decay_every_epochs = 3.0
  config.loss.l2 = 4e-5
  config.ema_decay = 0.9999
  return common.quick(config) if arg['quick'] else config


def sweep(name='grid'):
  yield from common.choose(
    name,
    grid=common.grid(  # Tables 6 and 7
      {'model.width': (1.0, 0.75, 0.5, 0.25), 'resolution': (224, 192, 160, 128)}
    ),
    learning_rates=common.learning_rates(0.04, 0.08, 0.165, 0.33, 0.66),
    seeds=common.seeds(3),
  )

"""MnasNet on ImageNet (https://arxiv.org/abs/1807.11626).

    python main.py --config=configs/mnasnet.py
    python main.py --config=configs/mnasnet.py:width=0.5,resolution=160
    python main.py --config=configs/mnasnet.py:model=mnasnet_small

model: mnasnet_a1, mnasnet_b1 or mnasnet_small. Published top-1 of A1 at 224 px: width
1.4 77.2 %, 1.0 75.2, 0.75 73.3, 0.5 68.9, 0.35 64.1 (the authors' page); of Small about
66 (the same), of B1 74.67 (timm's training).
Not run here: 350 epochs of ImageNet are 438,000 steps of batch 1024.

Recipe: the authors' (tensorflow/tpu, models/official/mnasnet). Batch 1024, learning
rate 0.016 for every 256 images, times 0.97 at every 2.4 epochs, 5 epochs of warm-up,
RMSprop 0.9 / 0.9 with eps 0.001, L2 1e-5 on all but norms, dropout 0.2, label smoothing
0.1, averages 0.9999; colours stay as they are. Evaluated is the middle of an image
whose short side is 32 px longer. Three things differ here. BatchNorm sees the global
batch, there the images of a TPU core. No bias decays. The layers of squeeze-and-excite
start as dense layers do, there as convolutions.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(
    arg, model='mnasnet_a1', width=1.0, resolution=224, quick=False
  )
  config = common.base()
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.dropout = 0.2
  config.resolution = arg['resolution']
  config.batch_size = 1024
  config.eval_batch_size = 1024
  config.epochs = 350.0
  config.optimizer.eps = 0.001
  config.schedule.name = 'exponential'
  config.schedule.learning_rate = 0.016
  config.schedule.reference_batch_size = 256
  config.schedule.warmup_epochs = 5.0
  config.schedule.decay_rate = 0.97
  config.schedule.decay_every_epochs = 2.4
  config.schedule.staircase = True
  config.loss.l2 = 1e-5
  config.loss.l2_depthwise = True
  config.loss.label_smoothing = 0.1
  config.ema_decay = 0.9999
  if arg['quick']:
    common.quick(config)
  config.data.train_ops = 'inception_crop({resolution})|flip|normalize()'
  config.data.eval_ops = (
    f'resize_small({config.resolution + 32})|central_crop({{resolution}})|normalize()'
  )
  return config


def sweep(name='grid'):
  yield from common.choose(
    name,
    grid=common.grid({'model.width': (1.4, 1.0, 0.75, 0.5, 0.35)}),
    learning_rates=common.learning_rates(0.004, 0.008, 0.016, 0.032),
    seeds=common.seeds(3),
  )

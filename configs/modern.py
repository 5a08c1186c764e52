"""Today's recipes: old networks with new training, on ImageNet or your own photos.

    python main.py --config=configs/modern.py:model=mobilenet_v1
    python main.py --config=configs/modern.py:model=mobilenet_v2
    python main.py \\
      --config=configs/modern.py:model=mobilenet_v3_large,recipe=torchvision
    python main.py --config=configs/modern.py:data=folder --config.data.dir=photos

Published top-1 at 224 px, beside that of the network's paper:

  network                  paper  ra4 (timm)            torchvision's second weights
  mobilenet_v1             70.6   75.39, 3,600 epochs   -
  mobilenet_v2             72.0   -                     72.154, 600 epochs
  mobilenet_v3_large       75.2   76.31, 3,600 epochs   75.274, 600 epochs
  mobilenet_v4_conv_small  73.8   73.76, 2,400 epochs   -

Those of timm are in its results-imagenet.csv, as mobilenetv1_100 and
mobilenetv3_large_100.ra4_e3600_r224_in1k and mobilenetv4_conv_small.e2400_r224_in1k; at
256 px they are 76.09, 77.18 and 74.64. The others are in the metadata of torchvision's
weights IMAGENET1K_V2. Not run here: 600 epochs of ImageNet are 750,000 steps of batch
1024.

recipe: '' is the first of those that the table has for a network; ra4 for any other.

ra4: timm says that these weights have the hyper-parameters of V4's Conv-S: AdamW with
beta1 0.6, RandAugment, dropout. It does not publish all of the numbers. Batch, rate,
decays and strengths are those of V4's paper, Table 10, column Conv-S (configs/v4.py).
Padding, BatchNorm's epsilon and momentum, and how images are prepared for evaluation
are timm's own. The transforms of timm's RandAugment are not all the same as ours.

torchvision: the command of its pull request 5560 for V2; the metadata of V3-Large point
to the same recipe (issue 3995, "new recipe with reg tuning"). Four things differ here.
BatchNorm sees all 1,024 images of a batch, there 128 of a GPU, which
--config.model.norm_group=128 gives. No bias decays. Weights are averaged at every step,
there at every 32nd by a decay that comes to the same. There an epoch draws a new
quarter of the images, four times each; here four epochs have every image four times.

data=folder: what suits a few thousand photos instead of ImageNet. Batch, averages and
the rate of AdamW are those of configs/folder.py; SGD's rate is as much less as the
batch. The resolution is 96 px.
"""

from configs import common, v4

# Network -> the recipe of its best-known result, epochs of ra4, share of the evaluated
# image's short side that timm crops.
NETWORKS = {
  'mobilenet_v1': ('ra4', 3600.0, 0.875),
  'mobilenet_v2': ('torchvision', 3600.0, 0.875),
  'mobilenet_v3_large': ('ra4', 3600.0, 0.95),
  'mobilenet_v4_conv_small': ('ra4', 2400.0, 0.875),
}
ANY_OTHER = ('ra4', 3600.0, 0.875)

RA4 = v4.SMALL | {
  'optimizer.name': 'adamw',
  'loss.label_smoothing': 0.1,
  'model.padding': 'torch',
  'model.init': 'fan_out',
  'model.norm_momentum': 0.9,
  'model.norm_epsilon': 1e-5,
}
TORCHVISION = {
  'batch_size': 1024,  # 8 x 128
  'epochs': 600.0,
  'optimizer.name': 'sgd',
  'optimizer.momentum': 0.9,
  'schedule.learning_rate': 0.5,
  'schedule.warmup_epochs': 5.0,
  'schedule.warmup_from': 0.01,
  'loss.l2': 2e-5,
  'loss.l2_depthwise': True,
  'loss.label_smoothing': 0.1,
  # Every 32 steps, 1 - 2e-5 * (1024 * 32 / 600): so train.py corrects its 0.99998.
  'ema_decay': 0.999966,
  'data.repeats': 4,
  'data.batch_ops': 'mixup(0.2, prob=0.5)|cutmix(1.0, prob=0.5)',
  'model.dropout': 0.2,
  'model.padding': 'torch',
  'model.init': 'fan_out',
  'model.norm_momentum': 0.9,
  'model.norm_epsilon': 1e-5,
}
V3_OF_TORCHVISION = {'model.norm_momentum': 0.99, 'model.norm_epsilon': 1e-3}
RECIPES = {'ra4': RA4, 'torchvision': TORCHVISION}

FOLDER = {
  'data.name': 'folder',
  'data.eval_split': 'val',
  'batch_size': 64,
  'eval_batch_size': 128,
  'epochs': 50.0,
  'resolution': 96,
  'schedule.warmup_epochs': 3.0,
  # The network's own: fan_out draws a classifier of few classes far too large.
  'model.init': None,
  'model.norm_momentum': 0.97,
  'ema_decay': 0.99,
  'log_steps': 50,
  'eval_every_epochs': 5.0,
  'checkpoint_every_epochs': 5.0,
}
FOLDER_RATE = {'ra4': 0.003, 'torchvision': 0.5 * 64 / 1024}


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    model='mobilenet_v1',
    recipe='',
    data='imagenet2012',
    width=1.0,
    resolution=0,
    epochs=0.0,
    quick=False,
  )
  best_known, ra4_epochs, crop = NETWORKS.get(arg['model'], ANY_OTHER)
  recipe = arg['recipe'] or best_known
  for name, known in (('recipe', RECIPES), ('data', ('imagenet2012', 'folder'))):
    if arg[name] and arg[name] not in known:
      raise ValueError(f'config argument {name}={arg[name]}: {", ".join(known)}')
  config = common.base()
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.update_from_flattened_dict(RECIPES[recipe])
  if recipe == 'ra4':
    config.epochs = ra4_epochs
  elif arg['model'].startswith('mobilenet_v3'):
    config.update_from_flattened_dict(V3_OF_TORCHVISION)
  config.resolution = 224
  config.eval_batch_size = 1024
  if arg['data'] == 'folder':
    config.update_from_flattened_dict(FOLDER)
    config.schedule.learning_rate = FOLDER_RATE[recipe]
  config.epochs = arg['epochs'] or config.epochs
  if arg['quick']:
    common.quick(config)
  config.resolution = arg['resolution'] or config.resolution
  prepare = images_of_timm if recipe == 'ra4' else images_of_torchvision
  prepare(config, crop)
  return config


def images_of_timm(config, crop):
  size = round(config.resolution / crop)
  config.data.train_ops = (
    'inception_crop({resolution}, antialias=True)|flip|randaug(2, 9, prob=0.5)|'
    'normalize()'
  )
  config.data.eval_ops = (
    f"resize_small({size}, 'bicubic', antialias=True)|central_crop({{resolution}})|"
    'normalize()'
  )


def images_of_torchvision(config, crop):
  """Trained on smaller images than it is evaluated on: 176 px, and 224 of 232."""
  del crop
  train_size = round(config.resolution * 176 / 224)
  size = round(config.resolution * 232 / 224)
  config.data.train_ops = (
    f'inception_crop({train_size}, antialias=True)|flip|trivialaug|'
    "erase(0.1, area=(0.02, 0.33), aspect=(0.3, 3.3), fill='mean')|normalize()"
  )
  config.data.eval_ops = (
    f'resize_small({size}, antialias=True)|central_crop({{resolution}})|normalize()'
  )


def sweep(name='seeds'):
  return common.choose(
    name,
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.001, 0.002, 0.004),
  )

"""A segmenter for your own pictures, from ImageNet weights or from scratch.

    python main.py --config=configs/segment_folder.py --config.data.dir=pictures \
      --config.init=mobilenet_v2-b0353104.pth

`pictures` holds images/ and masks/: for each image a PNG of the same name whose grey
values or palette entries are classes; docs/boxes_and_masks.md shows how they may lie.
Without splits of their own a fifth of the pictures is set aside for evaluation, always
the same. Pictures are squeezed to a square of `resolution` pixels.
"""

from configs import common, segmentation

KINDS = {
  'natural': 'resize({resolution})|scale_crop({resolution}, 0.75, 1.5)|flip|color',
  'microscopy': 'resize({resolution})|scale_crop({resolution}, 0.75, 1.5)|turn|color',
}


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    model='lraspp_mobilenet_v2',
    width=1.0,
    resolution=256,
    epochs=50.0,
    kind='natural',
    quick=False,
  )
  if arg['kind'] not in KINDS:
    raise ValueError(f'config argument kind={arg["kind"]}: {", ".join(KINDS)}')
  config = segmentation.base()
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.norm_momentum = 0.9  # few steps
  config.resolution = arg['resolution']
  config.data.name = 'masks'
  config.data.eval_split = 'val'
  config.data.train_ops = KINDS[arg['kind']] + '|value_range(-1, 1)'
  config.data.eval_ops = 'resize({resolution})|value_range(-1, 1)'
  config.batch_size = 8
  config.epochs = arg['epochs']
  common.adamw(config, 0.001)
  config.loss.label_smoothing = 0.0
  config.schedule.warmup_epochs = min(2.0, 0.05 * arg['epochs'])
  config.ema_decay = 0.99
  config.log_steps = 20
  config.eval_every_epochs = config.checkpoint_every_epochs = max(
    1.0, arg['epochs'] / 5
  )
  return segmentation.quick(config) if arg['quick'] else config


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.0003, 0.001, 0.003),
    seeds=common.seeds(3),
    folds=common.folds(),
  )

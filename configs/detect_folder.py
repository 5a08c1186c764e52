"""A detector for your own pictures, from ImageNet weights or from scratch.

    python main.py --config=configs/detect_folder.py --config.data.dir=pictures \
      --config.init=mobilenet_v2-b0353104.pth

`pictures` holds images and a COCO JSON, Pascal VOC XML files or YOLO text files;
docs/boxes_and_masks.md shows how they may lie. Without splits of their own a fifth of
the pictures is set aside for evaluation, always the same. Without `init` all of the
network is drawn, and learns less from few pictures.

`kind=microscopy` turns and mirrors pictures every way, `kind=sign` never mirrors them.
"""

from configs import common, detection

KINDS = {
  'natural': 'ssd_crop|flip|resize({resolution})|color',
  'sign': 'ssd_crop|resize({resolution})|color',
  'microscopy': 'ssd_crop|resize({resolution})|turn|color',
}


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    model='ssdlite_mobilenet_v2',
    width=1.0,
    resolution=320,
    epochs=100.0,
    kind='natural',
    quick=False,
  )
  if arg['kind'] not in KINDS:
    raise ValueError(f'config argument kind={arg["kind"]}: {", ".join(KINDS)}')
  config = detection.base()
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.norm_momentum = 0.9  # few steps
  config.resolution = arg['resolution']
  config.data.name = 'boxes'
  config.data.eval_split = 'val'
  config.data.train_ops = KINDS[arg['kind']] + '|value_range(-1, 1)'
  config.batch_size = 16
  config.epochs = arg['epochs']
  common.adamw(config, 0.001)
  config.loss.label_smoothing = 0.0
  config.optimizer.clip_norm = 10.0
  config.schedule.warmup_epochs = min(3.0, 0.05 * arg['epochs'])
  config.ema_decay = 0.995
  config.log_steps = 20
  config.eval_every_epochs = config.checkpoint_every_epochs = max(
    1.0, arg['epochs'] / 5
  )
  return detection.quick(config) if arg['quick'] else config


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.0003, 0.001, 0.003),
    seeds=common.seeds(3),
    folds=common.folds(),
  )

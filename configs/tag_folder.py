"""A network that says which of several tags hold for your own photos.

    python main.py --config=configs/tag_folder.py --config.data.dir=photos
    python main.py --config=configs/tag_folder.py:model=mobilenet_v2,head=10 \
      --config.data.dir=photos --config.init=mobilenet_v2-b0353104.pth

`photos` holds images and a CSV with a row for each: a column for each tag with 1 or 0,
or one column 'tags' with names; docs/tags.md shows both. Without splits of their own a
fifth of the photos is set aside for evaluation, always the same. Without `init` the
network is drawn, and learns less from few photos. With it, `model` names the network of
the weights, and the classifier learns alone for `head` epochs first, on what the
network makes of each photo.

`kind` is what may be drawn of a photo, as in configs/finetune.py: a tag such as 'on the
left' does not outlive a mirror.
"""

from configs import common, finetune


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    model='mobilenet_v3_small',
    width=1.0,
    resolution=128,
    epochs=30.0,
    head=0.0,
    kind='natural',
    quick=False,
  )
  config = common.base()
  config.task = 'tags'
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.dropout = 0.2
  config.model.norm_momentum = 0.9  # few steps
  config.resolution = arg['resolution']
  common.photos(config)
  config.data.name = 'tags'
  config.data.annotations = ''  # the CSV, '' looks for it
  config.data.train_ops = f'{finetune.drawn(arg["kind"])}|value_range(-1, 1)'
  config.batch_size = 32
  config.epochs = arg['epochs']
  config.new_head = True
  config.head_first.epochs = arg['head']
  common.adamw(config, 0.002)
  config.loss.label_smoothing = 0.0  # probabilities are read as they are
  config.schedule.warmup_epochs = min(3.0, 0.05 * arg['epochs'])
  config.ema_decay = 0.99
  config.log_steps = 20
  config.eval_every_epochs = config.checkpoint_every_epochs = max(
    1.0, arg['epochs'] / 10
  )
  return quick(config) if arg['quick'] else config


def quick(config):
  """A minute on made pictures of coloured shapes, to see that all of it runs."""
  config = common.quick(config)
  config.data.name = 'made_tags'
  return config


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.0005, 0.002, 0.005),
    seeds=common.seeds(3),
    folds=common.folds(),
    shares=common.grid({'teacher.hard': (0.0, 0.5)}),
  )

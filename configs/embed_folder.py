"""Embeddings of your own photos: people, products, plants or animals find each other.

    python main.py --config=configs/embed_folder.py --config.data.dir=people \
      --config.init=mobilenet_v2-b0353104.pth

`people` holds a folder of photos for each person, product or kind. A fifth of these
classes is set aside, always the same ones: a run is measured on classes that it never
saw, by how well photos of the same one find each other. Or there are `train/` and
`val/` with different class folders. Without `init` all of the network is drawn and
learns less from few photos: `:scratch` has the learning rate for that, and norms that
learn. With weights, the norms of the trunk keep the statistics that they came with
(docs/results/embeddings has what that brings).

`kind=face` is for aligned faces, cut as those of the later use; `kind=sign` never
mirrors photos, `kind=microscopy` turns them every way. `loss=cosface`, `softmax`, or
`distance` to a teacher: see configs/v1_faces.py. `size` is the number of an embedding's
numbers.

The scale is 16 here, not the 64 that were published for tens of thousands of people: on
the 40 people of the ORL faces (320 photos, 64 px, V3-Small from scratch, 20 epochs, one
seed) recall at 1 of 8 people who were set aside ended at 70 % against 40 %.
MobileFaceNet (`model=mobile_face_net`), at 64, had 98.8 % after 10 of its epochs.
"""

from configs import common, embeddings

KINDS = {
  'natural': 'inception_crop({resolution}, area=(0.25, 1))|flip|color',
  'face': 'inception_crop({resolution}, area=(0.8, 1))|flip|color',
  'sign': 'inception_crop({resolution}, area=(0.5, 1))|color',
  'microscopy': 'inception_crop({resolution}, area=(0.5, 1))|turn|color',
}


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    model='embed_mobilenet_v2',
    width=1.0,
    resolution=128,
    size=128,
    loss='arcface',
    epochs=50.0,
    kind='natural',
    scratch=False,
    quick=False,
  )
  if arg['kind'] not in KINDS:
    raise ValueError(f'config argument kind={arg["kind"]}: {", ".join(KINDS)}')
  config = embeddings.base()
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.embedding = arg['size']
  config.model.norm_momentum = 0.9  # few steps
  config.resolution = arg['resolution']
  config.embeddings.loss = arg['loss']
  config.embeddings.scale = 16.0  # see above
  if arg['loss'] == 'distance':
    config.teacher.features = 1.0
  config.data.train_ops = KINDS[arg['kind']] + '|value_range(-1, 1)'
  config.batch_size = 64
  config.eval_batch_size = 128
  config.epochs = arg['epochs']
  config.model.frozen_norms = not arg['scratch']
  common.adamw(config, 0.001 if arg['scratch'] else 0.0003)
  config.loss.label_smoothing = 0.0
  config.schedule.warmup_epochs = min(3.0, 0.1 * arg['epochs'])
  config.ema_decay = 0.99
  config.log_steps = 20
  config.eval_every_epochs = config.checkpoint_every_epochs = max(
    1.0, arg['epochs'] / 10
  )
  return embeddings.quick(config) if arg['quick'] else config


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.0003, 0.001, 0.003),
    losses=common.grid({'embeddings.loss': ('arcface', 'cosface', 'softmax')}),
    seeds=common.seeds(3),
    folds=common.folds(),
  )

"""Fine-grained classes in two stages: many noisy photos, then few clean ones.

    python main.py --config=configs/dogs.py:stage=noisy --config.data.dir=web_dogs \
      --config.init=mobilenet_v1_1_0_224_tf.h5 --workdir=runs/dogs-noisy
    python main.py --config=configs/dogs.py:stage=clean --config.init=runs/dogs-noisy

The recipe of MobileNetV1's section 4.3 (https://arxiv.org/abs/1704.04861) for the 120
breeds of Stanford Dogs. The first stage trains on photos that a search of the web gives
for the names of the classes, many of them wrong. The second begins with the whole
network of the first, its classifier too, and trains on the clean set. Any two folders
of class folders with the same names will do:

    python main.py --config=configs/dogs.py:stage=clean,data=folder \
      --config.data.dir=clean_photos --config.init=runs/dogs-noisy

Without `data=folder`, the clean set is TFDS's stanford_dogs: 12,000 photos for training
and 8,580 for evaluation; `tfds build stanford_dogs` fetches it. The folders of the
noisy photos must then have its names, such as n02085620-chihuahua. Names that differ
are told in one line before anything is trained; `--config.new_head=true` trains a new
classifier instead.

Published top-1 (Table 10): width 1.0 at 224 px 83.3 %, 0.75 at 224 px 81.9, 1.0 at 192
px 81.9, 0.75 at 192 px 80.5; Inception V3 84.0. The paper's web photos are not public,
and it gives no numbers of this training: those below are ours. Not run here.

Both stages are fine-tuning as in configs/finetune.py. The noisy one has mixup besides,
since labels are wrong. The clean one has a third of the rate, since the classifier has
learned already, and the rate falls by 0.9 from row to row towards the stem. Without
`--config.init`, the noisy one trains from scratch, which takes more epochs:
`:stage=noisy,model=mobilenet_v1,epochs=90`.
"""

from configs import common, finetune

STAGES = ('noisy', 'clean')


def get_config(arg=None):
  arg = common.parse_arg(
    arg, stage='noisy', data='', model='', width=1.0, resolution=0, epochs=0.0
  )
  for name, known in (('stage', STAGES), ('data', ('', 'folder', 'stanford_dogs'))):
    if arg[name] not in known:
      choices = ', '.join(filter(None, known))
      raise ValueError(f'config argument {name}={arg[name]}: {choices}')
  if arg['model'] and arg['stage'] == 'clean':
    raise ValueError(
      f'config argument model={arg["model"]}: the second stage has the network of the '
      'first, --config.init=runs/...'
    )
  if arg['width'] != 1 and not arg['model']:
    raise ValueError(
      f'config argument width={arg["width"]:g}: weights have their own width; it is '
      'for training from scratch, with model=mobilenet_v1'
    )
  config = finetune.get_config()
  config.resolution = arg['resolution'] or config.resolution
  make = noisy if arg['stage'] == 'noisy' else clean
  make(config)
  config.epochs = arg['epochs'] or config.epochs
  if arg['data'] == 'folder':
    of_folder(config)
  elif arg['data'] == 'stanford_dogs':
    stanford_dogs(config)
  if arg['model']:
    from_scratch(config, arg)
  return config


def noisy(config):
  """The first stage: a folder, whose labels are often wrong."""
  of_folder(config)
  config.epochs = 10.0
  config.data.batch_ops = 'mixup(0.2)'


def clean(config):
  """The second stage goes on from the first: network, classifier and images."""
  stanford_dogs(config)
  config.epochs = 20.0
  config.new_head = False
  config.head_first.epochs = 0.0
  config.schedule.learning_rate /= 3
  config.optimizer.layer_decay = 0.9


def of_folder(config):
  config.data.name = 'folder'
  config.data.train_split, config.data.eval_split = 'train', 'val'


def stanford_dogs(config):
  config.data.name = 'stanford_dogs'
  config.data.train_split, config.data.eval_split = 'train', 'test'


def from_scratch(config, arg):
  """No weights: images as configs/folder.py prepares them."""
  config.model.name, config.model.width = arg['model'], arg['width']
  config.resolution = arg['resolution'] or 224
  config.new_head = False
  config.head_first.epochs = 0.0
  config.data.train_ops = config.data.train_ops.replace(
    '{normalize}', 'value_range(-1, 1)'
  )
  config.data.eval_ops = (
    'central_fraction(0.875)|resize({resolution})|value_range(-1, 1)'
  )
  config.schedule.learning_rate = 0.003


def sweep(name='seeds'):
  return common.choose(
    name,
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.0001, 0.0002, 0.0005, 0.001),
  )

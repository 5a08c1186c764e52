"""Face attributes, taught by a large network (https://arxiv.org/abs/1704.04861, 4.6).

    python main.py --config=configs/attributes.py:labels,width=1.0 \
      --workdir=runs/attributes-teacher
    python main.py --config=configs/attributes.py:width=0.5,resolution=128 \
      --config.teacher.weights=runs/attributes-teacher

The student learns the teacher's answers and no label (`teacher.hard` is 0): the
cross-entropy of each attribute, averaged over attributes. As in the paper, there is no
weight decay and no early stopping. `labels` trains on the labels instead: a teacher, or
a student to compare.

Published mean average precision (Table 12), with a teacher of 86.9 %, 7.5 M parameters
and 1,600 M multiply-adds: width 1.0 at 224 px 88.7 %, 0.5 88.1, 0.25 87.2; at 128 px
88.1, 87.7, 86.4. The paper's faces are not public, and its recipe has no numbers. So
the data is CelebA, 40 attributes in TFDS (run `tfds build celeb_a` once; read what its
licence allows), and batch, rate and length are ours. The paper could also teach with
any number of unlabelled photos: in a folder (configs/tag_folder.py) a row without any
known tag is such a photo.

Not run here: CelebA has 162,770 training photos. `:labels,quick` is a minute on made
pictures.
"""

from configs import common, tag_folder

WIDTHS, RESOLUTIONS = (1.0, 0.5, 0.25), (224, 128)  # Table 12


def get_config(arg=None):
  arg = common.parse_arg(
    arg, width=1.0, resolution=224, epochs=20.0, labels=False, quick=False
  )
  config = common.base()
  config.task = 'tags'
  config.model.name = 'mobilenet_v1'
  config.model.width = arg['width']
  config.model.norm_momentum = 0.99
  config.resolution = arg['resolution']
  config.data.name = 'celeb_a'
  config.data.annotations = ''
  # An attribute may be a hat or an earring: crops keep most of a face.
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.7, 1))|flip|value_range(-1, 1)'
  )
  config.data.eval_ops = 'resize({resolution})|value_range(-1, 1)'
  config.batch_size = 256
  config.epochs = arg['epochs']
  common.adamw(config, 0.002)
  config.optimizer.weight_decay = 0.0
  config.loss.label_smoothing = 0.0
  config.schedule.warmup_epochs = min(1.0, 0.05 * arg['epochs'])
  config.teacher.hard = 1.0 if arg['labels'] else 0.0
  config.teacher.temperature = 1.0  # the paper has none
  config.ema_decay = 0.999
  return tag_folder.quick(config) if arg['quick'] else config


def sweep(name='grid'):
  yield from common.choose(
    name,
    grid=common.grid({'model.width': WIDTHS, 'resolution': RESOLUTIONS}),
    seeds=common.seeds(3),
  )

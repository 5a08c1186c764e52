"""A small network from scratch on photos, taught by a larger one that knows them.

    python main.py --config=configs/finetune.py --config.data.dir=photos \
      --config.init=mobilenet_v2-b0353104.pth
    python main.py --config=configs/distill.py --config.data.dir=photos \
      --config.teacher.weights=runs/finetune

The student, its images and its recipe are those of `configs/folder.py`, at half the
width. The teacher is any run or weight file with the classes of the photos. It sees the
very images that the student sees, mixed ones too: 2106.05237 finds that this matters.
`teacher.hard` is the labels' share of the loss. 1503.02531 found a considerably lower
weight than that of the teacher best, so here it is a tenth; at 0 the teacher alone is
learned from, as for the face attributes of V1's paper (section 4.5). What it gains is
measured in docs/results/distill.

Where the teacher is slow, let it answer once for each photo:

    python main.py --job=logits --init=runs/finetune --data_dir=photos --out=logits.npz
    python main.py --config=configs/distill.py --config.data.dir=photos \
      --config.teacher.logits=logits.npz

Its answers are then those for whole photos. The student's images must leave them true:
flips and mild colours do, and crops that keep most of a photo. One way to have them is

    --config.data.train_ops='inception_crop(96, area=(0.6, 1))|flip|value_range(-1, 1)'

A student can also learn which photos its teacher finds alike (1907.09682, 'similarity-
preserving'):

    --config.teacher.features=300

adds that many times the distance between the two networks' similarities, computed among
the photos of a batch from what their classifiers are given. It has no parameters and
fits networks of any widths. It also works with `teacher.hard` at 1; the teacher's
classes may then be any. A file of logits needs `--job=logits --embeddings`. It is off
by default: on the flowers it gained nothing, and a weight of 3000, as RepDistiller (the
code of 1910.10699) has it for CIFAR-100 with batches of 64, did harm. The distance is
at most 4 / batch size, so a larger batch needs a larger weight.
"""

from configs import common, folder


def get_config(arg=None):
  given = common.parse_arg(
    arg, model='mobilenet_v3_small', width=0.5, resolution=96, epochs=50.0
  )
  config = folder.get_config(','.join(f'{k}={v}' for k, v in given.items()))
  config.teacher.hard = 0.1
  config.teacher.temperature = 4.0
  return config


def sweep(name='seeds'):
  yield from common.choose(
    name,
    seeds=common.seeds(3),
    shares=common.grid({'teacher.hard': (0.0, 0.1, 0.5)}),
    features=common.grid({'teacher.features': (0.0, 30.0, 300.0)}),
    temperatures=common.grid({'teacher.temperature': (1.0, 2.0, 4.0)}),
  )

"""V1's face embeddings: the squared distance to those of a large teacher (section 4.7).

    python main.py --config=configs/embed_folder.py:model=embed_mobilenet_v3_large \
      --config.data.dir=people --config.init=teacher.pth
    python main.py --config=configs/v1_faces.py --config.data.dir=people \
      --config.teacher.weights=runs/embed_folder-model=embed_mobilenet_v3_large

The paper (1704.04861) has FaceNet for a teacher. Its weights were never published, and
its photos were not. Here it is any run of embeddings, or a classifier: then what its
last layer is given counts. `size` is how many numbers an embedding of it has. Training
reads no label; evaluation does, to say who finds whom.

Published, in accuracy at a false accept rate of 1e-4 (Table 14): FaceNet 83 %, V1 at
width 1 and 160 px 79.4 %, at 128 px 78.3 %, at width 0.75 75.2 % and 72.5 %.
"""

from configs import common, embed_folder


def get_config(arg=None):
  given = common.parse_arg(
    arg, width=1.0, resolution=160, size=128, epochs=50.0, kind='face', quick=False
  )
  given |= {'model': 'embed_mobilenet_v1', 'loss': 'distance', 'scratch': True}
  return embed_folder.get_config(','.join(f'{n}={value}' for n, value in given.items()))


def sweep(name='table_14'):
  yield from common.choose(
    name,
    table_14=common.grid({'model.width': (1.0, 0.75), 'resolution': (160, 128)}),
    seeds=common.seeds(3),
  )

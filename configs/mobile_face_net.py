"""MobileFaceNet (1804.07573) with ArcFace, on aligned faces of 112 px.

    python main.py --config=configs/mobile_face_net.py --config.data.dir=faces

`faces` holds a folder for each person: photos of one face each, turned and cut so that
eyes and mouth lie where they lie in all others. Training sets of faces are given out by
their owners alone; none is part of this project.

The recipe is that of insightface's arcface_torch for its MobileFaceNet (ms1mv3_mbf):
SGD with momentum 0.9, a rate of 0.1 for a batch of 128 that falls to 0 in a straight
line, decay 1e-4 of all kernels, 40 epochs; `size=512` is its embedding. The paper's own
is 128. Published: 99.55 % on LFW after MS-Celeb-1M (1804.07573, abstract). Nobody has
trained it on such a set here.
"""

from configs import common, embeddings


def get_config(arg=None):
  arg = common.parse_arg(
    arg, size=128, resolution=112, loss='arcface', epochs=40.0, quick=False
  )
  config = embeddings.base()
  config.model.name = 'mobile_face_net'
  config.model.embedding = arg['size']
  config.resolution = arg['resolution']
  config.embeddings.loss = arg['loss']
  config.data.train_ops = 'resize({resolution})|flip|value_range(-1, 1)'
  config.batch_size = 128
  config.eval_batch_size = 128
  config.epochs = arg['epochs']
  config.optimizer.name = 'sgd'
  config.optimizer.momentum = 0.9
  config.schedule.name = 'polynomial'
  config.schedule.learning_rate = 0.1
  config.loss.l2 = 1e-4
  config.loss.l2_depthwise = True
  return embeddings.quick(config) if arg['quick'] else config


def sweep(name='losses'):
  yield from common.choose(
    name,
    losses=common.grid({'embeddings.loss': ('arcface', 'cosface', 'softmax')}),
    learning_rates=common.learning_rates(0.03, 0.1, 0.3),
    seeds=common.seeds(3),
  )

"""The MobileNetV1 paper's questions on small data.

    python main.py --config=configs/desk.py:data=digits --job=sweep --sweep=questions
    python main.py --config=configs/desk.py:data=folder --config.data.dir=flowers \\
      --job=sweep --sweep=grid

`questions`: full against depthwise separable convolutions (Table 4), shallow against
thin (Table 5) and the width multipliers (Table 6). `grid`: four widths x four
resolutions (Tables 6 and 7) and the shallow network. docs/results/README.md has the
results and what they say.

All networks share the recipe of configs/folder.py, shortened. The question is which
network is better under the same training, not how good one can get.
"""

from configs import common

NETWORKS = (
  ('mobilenet_v1', 1.0),
  ('mobilenet_v1', 0.75),
  ('mobilenet_v1', 0.5),
  ('mobilenet_v1', 0.25),
  ('mobilenet_v1_shallow', 1.0),
  # At 1.0 it costs as much as all others together.
  ('mobilenet_v1_full_conv', 0.5),
)


def get_config(arg=None):
  arg = common.parse_arg(arg, data='digits', epochs=0.0)
  if arg['data'] not in ('digits', 'folder'):
    raise ValueError(f'config argument data={arg["data"]}: digits or folder')
  config = common.base()
  config.model.name = 'mobilenet_v1'
  config.model.norm_momentum = 0.97
  if arg['data'] == 'digits':
    common.digits(config)
    config.resolution = 32
    config.epochs = arg['epochs'] or 8.0
  else:
    common.photos(config)
    config.resolution = 96
    config.epochs = arg['epochs'] or 12.0
  config.batch_size = 32  # more steps in a short training run
  common.adamw(config, 0.003)
  config.schedule.warmup_epochs = 2.0
  config.ema_decay = 0.98
  config.log_steps = 20
  config.eval_every_epochs = 4.0
  config.checkpoint_every_epochs = 4.0
  return config


def sweep(name='grid'):
  return common.choose(
    name,
    grid=_grid(),
    questions=_questions(),
    seeds=common.seeds(3),
  )


def _grid():
  yield from common.grid(
    {'model.width': (1.0, 0.75, 0.5, 0.25), 'resolution': (96, 80, 64, 48)}
  )
  yield 'shallow_w1.0_r96', {'model.name': 'mobilenet_v1_shallow', 'resolution': 96}


def _questions(seeds=1):
  for seed in range(seeds):
    for network, width in NETWORKS:
      overrides = {'model.name': network, 'model.width': width, 'seed': seed}
      short = network.removeprefix('mobilenet_')
      yield f'{short}_w{width}_seed{seed}', overrides

"""What gradients that come late cost: asynchronous RMSprop, on the digits.

    python main.py --config=configs/staleness.py --job=sweep

The papers of MobileNetV1 and V2 trained asynchronously, V2 with 16 workers. Here one
worker applies each gradient `optimizer.stale_steps` steps late (staleness.py says why
that is the same). The sweep has 0, 1, 4 and 16 steps, at a learning rate that is good
without delay, and 16 steps at a quarter and a sixteenth of it, the latter also without
delay; three seeds each.
Results: docs/results/staleness/README.md.

V1 x0.25 at 32 px, TensorFlow's RMSprop with decay 0.9, momentum 0.9 and eps 1, as in
configs/v1.py and configs/v2.py, with a cosine, a batch of 32 and no averages.
"""

from configs import common

RATE = 0.1
# Steps, divisor of the rate.
DELAYS = ((0, 1), (1, 1), (4, 1), (16, 1), (16, 4), (16, 16), (0, 16))


def get_config(arg=None):
  arg = common.parse_arg(arg, epochs=5.0)
  config = common.digits(common.base())
  config.model.name = 'mobilenet_v1'
  config.model.width = 0.25
  config.model.norm_momentum = 0.97
  config.resolution = 32
  config.batch_size = 32  # more steps in a short training run
  config.epochs = arg['epochs']
  config.optimizer.decay = 0.9
  config.optimizer.momentum = 0.9
  config.optimizer.eps = 1.0
  config.schedule.learning_rate = RATE
  config.schedule.warmup_epochs = 1.0
  config.loss.l2 = 4e-5
  config.log_steps = 50
  config.eval_every_epochs = config.checkpoint_every_epochs = arg['epochs']
  return config


def sweep(name='delays'):
  return common.choose(
    name,
    delays=_delays(),
    learning_rates=common.learning_rates(0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
    seeds=common.seeds(3),
  )


def _delays(seeds=3):
  for seed in range(seeds):
    for steps, divisor in DELAYS:
      overrides = {
        'optimizer.stale_steps': steps,
        'schedule.learning_rate': RATE / divisor,
        'seed': seed,
      }
      yield common.item_name(overrides), overrides

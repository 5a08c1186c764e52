"""Times networks against other frameworks.

    python main.py --job=bench --models=mobilenet_v3_large --peers=timm

No config is needed. docs/bench.md says what is measured, and how.
"""

from mobilenet.bench import contenders, measure
from mobilenet.bench import run as bench
from mobilenet.command_line import Flag, Given

FLAGS = (
  Flag(
    'models',
    str,
    None,
    'NAME, NAME:WIDTH or the searched.json of a search, comma-separated; five by '
    'default.',
  ),
  Flag(
    'modes',
    str,
    'train,infer,latency',
    'What to time: train, infer, latency, processor (time of one image), compile, '
    'memory, input, grow (over batch, resolution and width), lowerings (of each '
    'convolution), roofline (each part of a step beside what the machine allows).',
  ),
  Flag(
    'peers',
    str,
    'auto',
    f'auto (all), none, or some of {", ".join(contenders.PEERS)}.',
  ),
  Flag('against', str, contenders.OURS, 'The contender whose numbers are compared.'),
  Flag('batch', int, None, 'Images per batch; 16, or 8 for detectors.'),
  Flag('resolution', int, None, 'Size in pixels; 224, or 320 for detectors.'),
  Flag('dtype', str, 'float32', 'float32 or bfloat16.'),
  Flag('rounds', int, 15, 'Turns of each contender.'),
  Flag('threads', int, None, 'Threads of each contender; one per core by default.'),
  Flag('peer_python', str, None, 'PEER=/path/to/python, of another environment.'),
)


def run(given: Given) -> int:
  asked, out = given.flags, given.folder('bench')
  settings = measure.Settings(
    batch=asked.batch,
    resolution=asked.resolution,
    dtype=asked.dtype,
    threads=bench.cores() if asked.threads is None else asked.threads,
    rounds=asked.rounds,
    logs=out / 'workers',
    pythons=contenders.interpreters(asked.peer_python),
  )
  models = contenders.chosen_models(asked.models or bench.MODELS)
  modes = contenders.chosen_modes(asked.modes, models)
  peers = contenders.chosen_peers(asked.peers)
  return bench.run(
    models,
    modes,
    peers,
    settings,
    out,
    against=contenders.chosen_against(asked.against, peers, modes),
  )

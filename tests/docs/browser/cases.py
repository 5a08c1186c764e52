"""What Chromium is asked to do, once for all tests of this folder."""

import dataclasses
import pathlib

import numpy as np
from PIL import Image

from mobilenet.weights import sources
from mobilenet.weights.contract import Contract

CONTRACTS = {
  'torchvision': sources.TORCHVISION,
  'timm': sources.TIMM,
  'timm_whole': dataclasses.replace(sources.TIMM, crop_fraction=1.0),
  'slim': sources.SLIM,
  'keras': Contract(crop_fraction=1.0),
  'caffe': Contract(
    mean=(0.408, 0.459, 0.482), std=(0.0039, 0.0040, 0.0041), channel_order='bgr'
  ),
  'bicubic': Contract(interpolation='bicubic', resize='short_side'),
  'area': Contract(interpolation='area', crop_fraction=0.9),
  'nearest': Contract(interpolation='nearest', resize='short_side', antialias=True),
}
# Wide, high and odd, of fewer pixels than the network takes, of one row.
SHAPES = ((150, 211), (240, 97), (33, 33), (20, 27), (1, 40))
SIDE = 32

# Network -> the photos that it is tried on besides plain.png.
MANY = {
  'logits': ('plain.jpg', 'turned.png', 'turned.jpg', 'profile.png', 'grey.png'),
  'probabilities': ('turned.png',),
  'flagged': (),
  'int8': ('turned.png', 'grey.png'),
}
WRITE_ONE = 'write one with python main.py --job=export --workdir=RUN --format=onnx'
# Network that cannot be used -> what the page says of it.
BAD_NETWORKS = {
  'cut.onnx': f'is no whole ONNX file; {WRITE_ONE}',
  'network.tflite': f'is no whole ONNX file; {WRITE_ONE}',
  'other.onnx': f'does not say how photos are prepared for it; {WRITE_ONE}',
  'lanczos.onnx': 'interpolation lanczos3 is none of bilinear, bicubic, nearest, area',
  'broken.onnx': 'cannot be run by onnxruntime: ',
}


def drawn(height, width, seed=0):
  """A photo of soft colours, with its noise."""
  rng = np.random.default_rng(seed)
  coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3)).astype(np.uint8))
  soft = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
  return (soft + rng.normal(0, 8, soft.shape)).clip(0, 255).astype(np.uint8)


def cases(photos: pathlib.Path) -> dict[str, list[dict]]:
  """Of a folder of photos; kind -> cases, as driver.js reads them."""
  names = sorted(path.name for path in photos.iterdir())
  decoded = [{'name': f'pixels-{name}', 'photo': f'/photos/{name}'} for name in names]
  prepared = [
    {
      'name': f'{name}-{number}',
      'pixels': f'/pixels/{number}',
      'height': height,
      'width': width,
      'contract': contract.as_dict(),
      'side': SIDE,
    }
    for name, contract in CONTRACTS.items()
    for number, (height, width) in enumerate(SHAPES)
  ]
  shown = [
    {
      'query': f'?model=/networks/{network}.onnx&photo=/photos/plain.png',
      'steps': [{'name': f'{network}-plain.png'}]
      + [
        {'name': f'{network}-{name}', 'picked': {'photo': f'/photos/{name}'}}
        for name in MANY[network]
      ],
    }
    for network in MANY
  ]
  good, photo = '/networks/logits.onnx', '/photos/plain.png'
  mistakes = [
    {'name': name, 'dropped': [f'/odd/{name}']}
    for name in ('photo.heic', *BAD_NETWORKS)
  ]
  shown += [
    {'query': '', 'steps': [{'name': 'nothing'}]},
    {
      'query': '',
      'steps': [
        {'name': 'photo alone', 'picked': {'photo': photo}},
        {'name': 'both picked', 'picked': {'model': good}},
        *mistakes,
        {'name': 'both dropped', 'dropped': [photo, good]},
        {'name': 'glass', 'picked': {'photo': '/odd/glass.png'}},
      ],
    },
    {
      'query': '?model=/nowhere/network.onnx&photo=/nowhere/rose.png',
      'steps': [{'name': 'nowhere'}],
    },
    {
      'page': '/lost/index.html',
      'query': f'?model={good}',
      'steps': [{'name': 'no runtime'}],
    },
  ]
  return {'decoded': decoded, 'prepared': prepared, 'shown': shown}

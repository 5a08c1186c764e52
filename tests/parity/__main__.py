"""Writes the table of measured differences: python -m tests.parity --out FILE."""

import argparse
import datetime
import pathlib
import tempfile

from tests import conftest  # the settings of all tests, before JAX is imported
from tests.parity import dense, frameworks, measuring
from tests.parity.cases import CASES, Case
from tests.parity.versions import versions

HEAD = """# The same logits as the framework the weights came from

Each row is a network of another framework with random arrays (batch norms'
statistics, scales and shifts too, all away from zero and one). That framework saves
it in the formats named, and `loading.load` reads it here and has to recognise
network, width and options. Both get the same two images. **Difference** is the
largest difference of their logits, relative to the largest logit, in float32. `pytest
-m parity` allows at most 1e-4.

Convolutions here are XLA's own (`native`) or the default on a CPU (`auto`). TF-slim's
checkpoints, TFLite files and those of tf2onnx are written from Keras's networks; a
checkpoint has 1,001 classes, a TFLite file is run by TensorFlow's interpreter. ONNX
files are exported at the first size, by the exporter of PyTorch that traces (`onnx`)
or by its newer one (`onnx-dynamo`), and compared with the network that they were
exported from. Formats of one row hold the same arrays, to the bit.
"""
TAIL = """
## Images

    pytest -m parity tests/parity/test_preparation.py

compares how images are prepared for the same weights: with torchvision's `Resize` and
`CenterCrop`, timm's `create_transform`, Keras's `load_img` and TF-slim's central crop
and resize, on pictures of noise at nine odd sizes. Sizes and windows are the same to
the pixel. Against TensorFlow the largest difference is 0.01 of 255 levels. PIL
resizes bytes and rounds after each of its two passes, ours computes in floats: 0.3
levels on average, 1.07 at most.
"""
COLUMNS = (
  *('framework', 'network there', 'network here', 'width', 'padding', 'files'),
  *('px', 'lowering', 'largest logit', 'difference'),
)


def rows_of(case: Case) -> list[tuple[str, ...]]:
  """The rows of one case, a size each."""
  with tempfile.TemporaryDirectory() as folder:
    prepared = measuring.prepare(case, pathlib.Path(folder))
    return [
      (
        case.framework,
        there(case),
        case.network,
        f'{prepared.loaded[0].model["width"]:g}',
        prepared.loaded[0].model['padding'],
        ' '.join(case.files),
        f'{measured.size}',
        measured.lowering,
        f'{measured.largest:.1f}',
        f'{measured.difference:.1e}',
      )
      for measured in measuring.measure(prepared)
    ]


def there(case: Case) -> str:
  return str(case).removeprefix(f'{case.framework}-').replace('-', ', ')


def write(
  out: pathlib.Path, rows: list[tuple[str, ...]], command: str, more: str
) -> None:
  lines = [COLUMNS, ('---',) * len(COLUMNS), *rows]
  worst = max(float(row[-1]) for row in rows)
  text = (
    f'{HEAD}\n    pip install -r requirements-parity.txt\n    {command}\n\n'
    f'{datetime.date.today():%Y-%m-%d}; {versions()}; on a CPU. {len(rows)} rows, the '
    f'largest difference is {worst:.1e}.\n\n'
    + '\n'.join(f'| {" | ".join(line)} |' for line in lines)
    + f'\n{more}{TAIL}'
  )
  out.write_text(text, encoding='utf-8')


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--only', default='', help='part of the names of the cases')
  arguments = parser.parse_args()
  print(f'compiled programs are kept in {conftest.CACHE}')
  rows = []
  for case in CASES:
    if arguments.only not in str(case):
      continue
    if reason := frameworks.missing(case.framework):
      print(f'{case}: {reason}')
      continue
    rows += rows_of(case)
    print(*rows[-1], flush=True)
  only = f' --only={arguments.only}' if arguments.only else ''
  more = ''
  if not arguments.only and not frameworks.missing('torchvision'):
    more = f'\n{dense.section(versions())}'
  command = f'python -m tests.parity --out {arguments.out}{only}'
  write(arguments.out, rows, command, more)
  print(f'written: {arguments.out}')


if __name__ == '__main__':
  main()

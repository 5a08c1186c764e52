"""Builds the accelerator: python -m mobilenet.models.accelerator"""

import sys

from mobilenet.models.accelerator import build


def main() -> None:
  try:
    print(f'built: {build.build()}')
  except build.AcceleratorError as error:
    sys.exit(str(error))


if __name__ == '__main__':
  main()

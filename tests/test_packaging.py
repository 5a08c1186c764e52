"""What `pip install .` installs: the two packages, whole, with what they need."""

import fnmatch
import pathlib
import subprocess
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['setuptools']
PACKAGES = ('input_pipeline', 'mobilenet')


def test_every_folder_is_a_package():
  for package in PACKAGES:
    for file in (ROOT / package).rglob('*.py'):
      assert (file.parent / '__init__.py').is_file(), file.parent


def test_files_that_are_no_code_are_installed_too():
  others = [
    file
    for package in PACKAGES
    for file in (ROOT / package).rglob('*')
    if file.is_file() and file.suffix not in ('.py', '.pyc')
  ]
  assert len(others) > 5
  for file in others:
    assert any(
      fnmatch.fnmatch(str(file), str(ROOT / name.replace('.', '/') / pattern))
      for name, patterns in SETTINGS['package-data'].items()
      for pattern in patterns
    ), f'{file} would be missing from an installation'


def test_requirements_are_read_from_the_files_that_exist():
  dynamic = SETTINGS['dynamic']
  files = [*dynamic['dependencies']['file']]
  for extra in dynamic['optional-dependencies'].values():
    files += extra['file']
  for name in files:
    lines = (ROOT / name).read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith('#')]
    assert wanted
    assert not [line for line in wanted if line.startswith('-')], 'an option of pip'


@pytest.mark.heavy
def test_an_installed_copy_works_outside_of_the_checkout(tmp_path):
  target = tmp_path / 'site'
  pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps']
  subprocess.run([*pip, '--target', target, ROOT], check=True, timeout=600)
  program = (
    'import mobilenet, pathlib; from mobilenet.models import counting, zoo; '
    'from mobilenet.models.accelerator import build; '
    'from mobilenet.weights import class_names; '
    'print(mobilenet.__file__, len(class_names.imagenet()), '
    "counting.count(zoo.create('mobilenet_v2', num_classes=1000), 224)[0])"
  )
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=tmp_path,
    env={'PYTHONPATH': str(target), 'PATH': '/usr/bin:/bin', 'HOME': str(tmp_path)},
    capture_output=True,
    text=True,
    timeout=300,
    check=True,
  )
  where, classes, parameters = done.stdout.split()
  assert pathlib.Path(where).is_relative_to(target)
  assert (int(classes), int(parameters)) == (1000, 3_504_872)

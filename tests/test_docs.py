"""What README, the docs and the docstrings name exists: links, paths, commands."""

import pathlib
import re

import pytest

from mobilenet import config_files, jobs
from mobilenet.training.errors import TrainingError

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]
SOURCES = [ROOT / 'main.py'] + [
  file
  for package in ('configs', 'input_pipeline', 'mobilenet')
  for file in sorted((ROOT / package).rglob('*.py'))
]
LINK = re.compile(r'\]\(([^)\s]+)\)')
# Not the end of a longer path, such as one in another repository.
PATH = re.compile(
  r'(?<![\w./}])((?:configs|docs|input_pipeline|mobilenet|tests)/[\w./]*\w)'
)
MODULE = re.compile(r'python -m ((?:input_pipeline|mobilenet|tests)[\w.]*\w)')
JOB = re.compile(r'--job=([a-z]\w*)')
CONFIG = re.compile(r'--config=(configs/\w+\.py(?::[\w=.,]*\w)?)')
FIELD = re.compile(r'--config\.([a-z][\w.]*\w)')


def name_of(path):
  return str(path.relative_to(ROOT))


def anchors(page):
  """The headings of a page as GitHub links to them."""
  text = re.sub(r'^ {4}.*$', '', page.read_text(encoding='utf-8'), flags=re.M)
  headings = re.findall(r'^#+ (.+)$', text, flags=re.M)
  return {re.sub(r'[^\w\- ]', '', h.lower()).replace(' ', '-') for h in headings}


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links_lead_somewhere(page):
  for link in LINK.findall(page.read_text(encoding='utf-8')):
    if re.match(r'[a-z]+:', link):
      continue  # on another machine
    file, _, anchor = link.partition('#')
    target = (page.parent / file).resolve() if file else page
    assert target.exists(), link
    assert target.is_relative_to(ROOT), link
    assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize('file', [*PAGES, *SOURCES], ids=name_of)
def test_paths_and_commands_exist(file):
  text = file.read_text(encoding='utf-8')
  for path in PATH.findall(text):
    assert (ROOT / path).exists(), path
  for module in MODULE.findall(text):
    path = ROOT / module.replace('.', '/')
    assert path.with_suffix('.py').is_file() or (path / '__main__.py').is_file(), module
  for job in JOB.findall(text):
    assert jobs.full_name(job) in jobs.names()


OF_EACH_KIND = (
  'quickstart',
  'detect_folder',
  'segment_folder',
  'embed_folder',
  'tag_folder',
  'places',
  'search_v3_small',
)


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_configs_load_with_their_arguments_and_have_the_fields(page):
  text = page.read_text(encoding='utf-8')
  # One of each task, and a search: what they share, and the fields of their own.
  shared = [
    config_files.load_config(str(ROOT / 'configs' / f'{name}.py'))
    for name in OF_EACH_KIND
  ]
  for argument in CONFIG.findall(text):
    config_files.load_config(str(ROOT / argument))
  for field in FIELD.findall(text):
    if not any(_has(config, field) for config in shared):
      config_files.check_field(shared[0], field)  # raises


def _has(config, field):
  try:
    config_files.check_field(config, field)
  except TrainingError:
    return False
  return True


def test_there_is_something_to_find():
  text = (ROOT / 'README.md').read_text(encoding='utf-8')
  for pattern in (LINK, PATH, MODULE, JOB, CONFIG, FIELD):
    assert pattern.search(text), pattern.pattern
  assert len(PAGES) > 20

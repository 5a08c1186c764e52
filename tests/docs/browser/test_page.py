"""The page in Chromium: it answers as --job=predict does, or says one line."""

import csv
import json
import pathlib
import re

import numpy as np
import pytest

from tests import tiny
from tests.docs.browser.cases import BAD_NETWORKS, MANY

SHOWN = ('tabby', 'Löwenzahn', '<b>cup</b>')


@pytest.fixture(scope='module')
def predicted(networks, photos, tmp_path_factory):
  """Of each network, each photo's probabilities by class, as --job=predict has them."""
  said = {}
  for name, path in networks.items():
    out = tmp_path_factory.mktemp(name)
    done = tiny.run('--job=predict', f'--exported={path}', f'--out={out}', photos)
    assert done.returncode == 0, done.stderr
    said[name] = rows = {}
    with (out / 'predictions.csv').open(encoding='utf-8') as file:
      for row in csv.DictReader(file):
        photo = pathlib.Path(row['photo']).name
        rows.setdefault(photo, []).append((row['name'], float(row['probability'])))
  return said


@pytest.mark.parametrize('network', MANY)
def test_answers_are_those_of_predict(answers, predicted, network):
  for photo in ('plain.png', *MANY[network]):
    said = said_at(answers, f'{network}-{photo}')
    wanted = predicted[network][photo]
    assert said['errors'] == []
    assert [name for name, _, _ in said['answers']] == [name for name, _ in wanted]
    found = [probability for _, probability, _ in said['answers']]
    # The CSV has six digits. Two levels in a JPEG's pixels are far below a percent.
    apart = 1e-3 if photo.endswith('.jpg') else 2e-6
    np.testing.assert_allclose(found, [p for _, p in wanted], rtol=0, atol=apart)
    texts = [text for _, _, text in said['answers']]
    assert texts == [f'{100 * probability:.1f}\xa0%' for probability in found]


def said_at(answers, name):
  return json.loads(answers[name])


def test_classes_have_the_names_that_people_know(answers):
  names = {name for name, _, _ in said_at(answers, 'logits-plain.png')['answers']}
  assert names == set(SHOWN)


def test_what_the_decision_says_of_a_photo(answers):
  none = 'None of these: no class has 99.9\xa0%.'
  flagged = 'Flagged as <b>cup</b>: it has 0.1\xa0% or more.'
  for network, remarks in {
    'logits': [none],
    'probabilities': [],
    'flagged': [none, flagged],
  }.items():
    assert said_at(answers, f'{network}-plain.png')['remarks'] == remarks


def test_the_page_says_what_it_does(answers):
  said = said_at(answers, 'logits-plain.png')
  assert re.fullmatch(
    r'plain\.png: \S+, \d+\.\d\xa0%\. Prepared in \d+ ms, computed in \d+ ms\.',
    said['status'],
  )
  assert re.fullmatch(
    r'logits\.onnx: tiny, 3 classes, 0\.\d MB; central square, 32 px, bilinear, '
    r'temperature 0\.700\.',
    said['facts'],
  )
  assert said['alt'] == 'plain.png'


def test_files_are_picked_and_dropped(answers):
  assert said_at(answers, 'nothing')['status'] == 'Choose a network and a photo.'
  alone = said_at(answers, 'photo alone')
  assert (alone['status'], alone['alt']) == ('Choose a network.', 'plain.png')
  wanted = said_at(answers, 'logits-plain.png')['answers']
  # The second follows files that could not be used.
  for name in ('both picked', 'both dropped'):
    said = said_at(answers, name)
    assert (said['answers'], said['errors']) == (wanted, [])


def test_transparency_is_said(answers):
  said = said_at(answers, 'glass')
  assert said['remarks'][-1] == 'What is transparent in this photo counts as black.'


@pytest.mark.parametrize('name', BAD_NETWORKS)
def test_a_network_that_cannot_be_used_is_one_line(answers, name):
  said = said_at(answers, name)
  (line,) = [line for line in said['errors'] if line.startswith(name)]
  assert BAD_NETWORKS[name] in line
  assert '\n' not in line
  assert said['answers'] == []
  assert said['facts'] == ''


def test_a_photo_that_cannot_be_used_is_one_line(answers):
  said = said_at(answers, 'photo.heic')
  assert said['errors'] == ['photo.heic cannot be read here: save it as JPEG or PNG']
  assert said['status'] == 'Choose a photo.'


def test_addresses_that_lead_nowhere(answers):
  assert said_at(answers, 'nowhere')['errors'] == [
    '/nowhere/network.onnx cannot be fetched: the server answers 404',
    '/nowhere/rose.png cannot be fetched: the server answers 404',
  ]


def test_a_runtime_that_is_not_there(answers):
  (line,) = said_at(answers, 'no runtime')['errors']
  assert line.startswith('onnxruntime-web cannot be loaded from http://')
  assert line.endswith('/gone/ort.wasm.bundle.min.mjs: see index.html')

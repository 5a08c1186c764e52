"""The command line read in this process: jobs, helps, fields set back."""

import pytest

from mobilenet import command_line, jobs
from mobilenet.training.errors import TrainingError

QUICKSTART = '--config=configs/quickstart.py'


def parse(*arguments):
  return command_line.parse(['main.py', *arguments])


@pytest.fixture(autouse=True)
def here(monkeypatch, request):
  monkeypatch.chdir(request.config.rootpath)


def test_the_beginning_of_a_job_is_enough():
  assert parse('--job=eval')[1].job == 'evaluate'
  assert parse('--job=import')[1].job == 'import_weights'
  assert parse(QUICKSTART)[1].job == 'train'


@pytest.mark.parametrize(
  ('name', 'message'),
  [
    ('s', "no job 's'; did you mean search or start or summary or sweep"),
    ('tarin', 'did you mean train'),
    ('zzz', "no job 'zzz'; jobs: bench, check_data"),
  ],
)
def test_a_job_that_is_none_or_several(name, message):
  with pytest.raises(TrainingError, match=message):
    parse(f'--job={name}')


def test_a_flag_of_another_job_says_what_to_type_here():
  with pytest.raises(TrainingError, match=r'\(here it is --config\.data\.dir\)'):
    parse(QUICKSTART, '--data_dir=photos')


@pytest.mark.parametrize(
  'typed', ['quickstart', 'config/quickstart.py', 'quikstart.py']
)
def test_a_config_is_found_by_its_name(typed):
  with pytest.raises(TrainingError, match=r'did you mean configs/quickstart\.py\?'):
    parse(f'--config={typed}')


def printed(capsys, *arguments):
  with pytest.raises(SystemExit) as ended:
    parse(*arguments)
  assert not ended.value.code
  return capsys.readouterr().out


def test_help_fits_two_screens_and_names_every_job(capsys):
  text = printed(capsys, '--help')
  assert len(text.splitlines()) <= 48
  assert max(map(len, text.splitlines())) <= 88
  for name in jobs.names():
    assert f'\n  {name} ' in text
    assert jobs.describe(name).summary.split()[0] in text
  assert 'python main.py --config=configs/quickstart.py' in text


@pytest.mark.parametrize('name', jobs.names())
def test_the_help_of_a_job_has_its_own_flags_first(name, capsys):
  text = printed(capsys, f'--job={name}', '--help')
  own, _, common = text.partition('Flags of all jobs:')
  for flag in jobs.describe(name).flags:
    assert f'  --{flag}' in own or f'  --[no]{flag}' in own
  assert '--workdir' in common
  assert f'python main.py --job={name}' in text


@pytest.mark.parametrize('config', [[QUICKSTART], QUICKSTART.split('=')])
def test_fields_may_be_set_before_the_config_is_named(config):
  given = parse('--config.seed=7', '--config.data.dir=photos', *config)[1]
  assert (given.config.seed, given.config.data.dir) == (7, 'photos')
  assert given.overrides == {'seed': 7, 'data.dir': 'photos'}


def test_none_gives_a_field_its_default_back():
  _, given = parse(QUICKSTART)
  assert given.config.model.norm_momentum is not None
  _, given = parse(QUICKSTART, '--config.model.norm_momentum=None', '--config.epochs=3')
  assert given.config.model.norm_momentum is None
  assert given.config.epochs == 3.0
  assert given.overrides == {'model.norm_momentum': None, 'epochs': 3.0}
  with pytest.raises(TrainingError, match=r'did you mean model\.norm_momentum'):
    parse(QUICKSTART, '--config.model.norm_momntum=None')


def test_flags_of_several_processes_need_the_flag_that_says_so():
  with pytest.raises(TrainingError, match=r'--num_processes.*add --multihost'):
    parse(QUICKSTART, '--num_processes=2')
  _, given = parse(QUICKSTART, '--multihost', '--num_processes=2')
  assert (given.flags.num_processes, given.flags.process_id) == (2, None)


def test_arguments_are_for_jobs_that_take_some():
  assert parse('--job=predict', 'a.jpg', 'b.jpg')[1].arguments == ('a.jpg', 'b.jpg')
  with pytest.raises(TrainingError, match=r"what is 'a\.jpg'"):
    parse(QUICKSTART, 'a.jpg')

"""The command line as it is typed: what it prints, what it refuses, and its exit status."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tomllib

import pytest
from typer.testing import CliRunner

from headwater import __version__
from headwater.app.cli import app
from headwater.app.commands import query, redrive, replay, tail, trace
from headwater.app.commands.client import kept_in
from headwater.app.commands.operations import names
from headwater.app.commands.reference import page
from headwater.app.house import open_store, prepare
from headwater.app.settings import fields, read
from headwater.store import tokens

OWN = ("serve", "send", "tail", "trace", "query", "redrive", "replay", "doctor", "settings", "catch", "admin-token")
GROUPS = {"secrets": "rotate"}
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("HEADWATER_URL", "HEADWATER_TOKEN", "HEADWATER_DATA"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*words: str, given: str = ""):
        return CliRunner().invoke(app, list(words), input=given)

    return invoke


def test_it_tells_its_version(run):
    assert run("--version").stdout.strip() == f"headwater {__version__}"


def test_help_names_every_command_and_every_operation(run):
    shown = run("--help").stdout
    assert [name for name in (*OWN, *GROUPS, *names()) if name not in shown] == []


@pytest.mark.parametrize("command", OWN)
def test_help_gives_examples(run, command):
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert f"headwater {command}" in shown.stdout.partition("Examples")[2]


@pytest.mark.parametrize(("group", "command"), GROUPS.items())
def test_help_of_a_member_of_a_group_gives_examples(run, group, command):
    shown = run(group, command, "--help")
    assert shown.exit_code == 0
    assert f"headwater {group} {command}" in shown.stdout.partition("Examples")[2]


def test_every_operation_has_a_command_whose_options_do_not_collide(run):
    for name, operation in names().items():
        shown = run(name, "--help")
        assert shown.exit_code == 0, name
        assert operation.sentence.split()[0] in shown.stdout


def test_the_friendly_commands_ask_operations_that_exist():
    paths = {operation.path for operation in names().values()}
    assert {tail.PATH, trace.PATH, query.PATH, redrive.PATH, redrive.BOOKS, replay.PATH} <= paths


def test_the_reference_page_has_every_command():
    text = page(app)
    assert [
        name for name in ("serve", "doctor", "secrets rotate", *names()) if f"# headwater {name}\n" not in text
    ] == []


def test_a_command_that_does_not_exist_is_a_usage_error_with_a_suggestion(run):
    refused = run("list-source")
    assert refused.exit_code == 2
    assert "list-sources" in refused.stderr


def test_a_house_that_does_not_answer_is_one_sentence_and_status_1(run):
    refused = run("list-sources", "--url", NOBODY)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.splitlines() == [
        f"Nothing answers at {NOBODY}. "
        "Start the house with `headwater serve`, or say where it is with --url or HEADWATER_URL."
    ]


def test_an_address_that_is_none_is_refused(run):
    refused = run("list-sources", "--url", "localhost:8081")
    assert (refused.exit_code, "not an address" in refused.stderr) == (1, True)


def test_a_missing_option_is_a_usage_error(run):
    assert run("create-source", "--slug", "web").exit_code == 2


def test_an_unknown_setting_is_one_sentence(run):
    refused = run("settings", "--set", "collect.prot=1")
    assert (refused.exit_code, refused.stderr) == (1, "There is no setting collect.prot. Did you mean collect.port?\n")


def test_what_is_no_assignment_is_a_usage_error(run):
    assert run("settings", "--set", "collect.port").exit_code == 2


def test_settings_tell_value_origin_and_meaning(run):
    found = {one["name"]: one for one in json.loads(run("settings", "--json", "--set", "collect.port=80").stdout)}
    assert (found["collect.port"]["value"], found["collect.port"]["origin"]) == (80, "flag")
    assert found["manage.port"]["origin"] == "default"
    assert all(one["sentence"] for one in found.values())


def test_settings_mask_secrets(run):
    assert "hush" not in run("settings", "--set", "admin_token=hush").stdout


def test_the_example_file_names_every_setting_and_can_be_read(run, tmp_path):
    text = run("settings", "--example").stdout
    tomllib.loads(text)
    bare = "\n".join(line[2:] if line.startswith("# ") and " = " in line else line for line in text.splitlines())
    (tmp_path / "all.toml").write_text(bare)
    assert read(environ={}, file=tmp_path / "all.toml") == read(environ={})
    assert [name for name, _, _ in fields() if f"{name.rpartition('.')[2]} = " not in text] == []


def test_serve_refuses_a_port_that_is_taken(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = run("serve", "--set", f"collect.port={taken.getsockname()[1]}")
    assert refused.exit_code == 1
    assert "is taken" in refused.stderr
    assert "--set collect.port=PORT" in refused.stderr


def test_serve_refuses_a_folder_that_cannot_be_made(run, tmp_path):
    (tmp_path / "file").write_text("")
    refused = run("serve", "--data", "file/data", "--set", "collect.port=0", "--set", "manage.port=0")
    assert refused.exit_code == 1
    assert f"The data folder {tmp_path / 'file' / 'data'} cannot be used" in refused.stderr


def test_serve_refuses_a_role_that_does_not_exist(run):
    assert run("serve", "kitchen").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("send",),
        ("send", "trak", "X", "--user", "u"),
        ("send", "track", "--user", "u"),
        ("send", "track", "X"),
        ("send", "identify", "X", "--user", "u"),
        ("send", "track", "X", "--user", "u", "--property", "words"),
        ("send", "track", "X", "--user", "u", "--file", "events.ndjson"),
        ("query", "SELECT 1", "--json", "--csv"),
    ],
)
def test_words_that_make_no_sense_are_usage_errors(run, words):
    assert run(*words, "--url", NOBODY).exit_code == 2


def test_doctor_examines_a_machine_without_a_house(run):
    examined = run("doctor", "--json", "--set", "collect.port=0", "--set", "manage.port=0")
    found = {one["check"]: one for one in json.loads(examined.stdout)}
    assert examined.exit_code == 0, examined.stdout
    assert {
        "python",
        "clock",
        "settings",
        "folder",
        "space",
        "fsync",
        "log",
        "store",
        "books",
        "places",
        "keys",
        "catalogue",
    } <= set(found)
    assert found["house"]["status"] == "warn"
    assert all(one["advice"] for one in found.values() if one["status"] != "ok")


def test_doctor_leaves_no_trace(run, tmp_path):
    run("doctor")
    assert list(tmp_path.iterdir()) == []


def test_doctor_fails_for_settings_that_cannot_be_read(run):
    examined = run("doctor", "--set", "collect.port=many")
    assert examined.exit_code == 1
    assert "collect.port" in examined.stdout


def test_doctor_fails_for_a_key_that_others_can_read(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key").write_text("")
    (tmp_path / "data" / "secret.key").chmod(0o644)
    examined = run("doctor", "--json")
    found = {one["check"]: one for one in json.loads(examined.stdout)}
    assert examined.exit_code == 1
    assert found["keys"]["advice"] == "chmod 600 data/secret.key"


def test_an_admin_token_is_made_for_an_owner_who_lost_the_last(run, tmp_path):
    settings = read({"data": str(tmp_path / "data")}, environ={})
    prepare(settings)
    made = json.loads(run("admin-token", "--json").stdout)["token"]
    store = open_store(settings)
    found = store.run(lambda connection: tokens.find_token(connection, made, 0), write=False)
    store.close()
    assert found is not None
    assert found.scopes == (tokens.ADMIN,)
    assert kept_in(tmp_path / "data").token == made


def test_no_admin_token_is_made_where_no_house_is(run, tmp_path):
    refused = run("admin-token")
    assert (refused.exit_code, "headwater serve" in refused.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_serve_does_not_load_the_operations():
    program = (
        "import sys; from headwater.app.cli import app; import typer.main\n"
        "group = typer.main.get_command(app); group.get_command(None, 'serve')\n"
        "heavy = ('sqlalchemy', 'duckdb', 'pyarrow', 'litestar', 'aiohttp', 'headwater.manage')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_nothing_but_text_goes_into_a_pipe(run):
    for words in (("settings",), ("--help",), ("serve", "--help"), ("list-sources", "--help")):
        assert "\x1b" not in run(*words).stdout


def test_the_key_is_rotated_and_many_machines_are_told_what_to_do_first(run, tmp_path):
    data = tmp_path / "data"
    refused = run("secrets", "rotate", "--data", str(data))
    assert (refused.exit_code, "headwater serve" in refused.stderr) == (1, True)
    prepare(read({"data": str(data)}))
    before = (data / "secret.key").read_text()
    told = run("secrets", "rotate", "--data", str(data), "--store", "postgresql://127.0.0.1:1/house")
    assert (told.exit_code, "--prepare" in told.stderr) == (1, True)
    assert (data / "secret.key").read_text() == before
    prepared = run("secrets", "rotate", "--data", str(data), "--prepare")
    assert "Copy" in prepared.stdout
    assert (data / "secret.key").read_text().startswith(before)
    examined = json.loads(run("doctor", "--data", str(data), "--json").stdout)
    assert "rotation was begun" in next(one["found"] for one in examined if one["check"] == "keys")
    done = run("secrets", "rotate", "--data", str(data), "--wait", "0", "--json")
    assert json.loads(done.stdout)["sealed"] == 0
    assert len((data / "secret.key").read_text().split()) == 1
    assert before not in (data / "secret.key").read_text()

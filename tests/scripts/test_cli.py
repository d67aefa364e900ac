"""The command ``bimsrec``."""

from __future__ import annotations

import socket
import sys

import pytest

from bundle.paths import ROOT
from scripts.cli import main, training_options


def test_training_finds_the_configurations_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = training_options(["--max_epochs", "3"])
    assert words[:2] == ["--max_epochs", "3"]
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given["--config_file"] == str(ROOT / "configs/train.json")
    assert given["--ckpt_dir"] == "runs/default"
    assert given["--bundle_root"] == str(ROOT)


def test_training_takes_the_own_configuration_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "mine.json").write_text("{}")
    words = training_options(["--config_file", "['configs/train.json','configs/mine.json']"])
    assert words[1] == f"['{ROOT / 'configs/train.json'}','configs/mine.json']"
    assert words.count("--config_file") == 1


def test_training_keeps_what_is_given_with_an_equals_sign():
    words = training_options(["--ckpt_dir=runs/mine", "--config_file=own.json"])
    assert words == ["--ckpt_dir=runs/mine", "--config_file=own.json", "--bundle_root", str(ROOT)]


def test_training_leaves_own_folders_that_are_called_configs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("/data/configs/train.json", "my_configs/train.json", "configs/missing.json"):
        assert training_options(["--config_file", path])[1] == path


def test_the_label_client_needs_monai_label(monkeypatch):
    monkeypatch.setitem(sys.modules, "monailabel", None)
    with pytest.raises(SystemExit, match="MONAI Label is not installed"):
        main(["label_client", "--help"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fuze"], "bimsrec fuze: no such command"),
        (["command"], "bimsrec command: no such command"),
    ],
)
def test_an_unknown_command_is_refused_with_the_list(words, told, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith(f"{told}\n\nusage: bimsrec COMMAND")


@pytest.mark.parametrize("words", [["--max_epochs"], ["--max_epochs", "--seed", "1"]])
def test_an_option_of_training_without_its_value_is_told(words):
    with pytest.raises(SystemExit, match="^error: --max_epochs: value missing; write --max_epochs"):
        training_options(words)


def test_the_commands_of_users_come_first_with_a_line_on_each(capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert {"fuse", "apply", "bids", "label", "label_client"} <= set(named)
    assert all(len(line.split()) > 3 for line in named.values())
    (others,) = [line for line in lines if line.startswith("also: ")]
    assert "reference_pages" in others and "bids" not in others


def test_the_installed_package_has_no_command_that_writes_into_the_repository(monkeypatch, capsys):
    monkeypatch.setattr("scripts.cli.IN_CHECKOUT", False)
    with pytest.raises(SystemExit):
        main(["reference_pages", "--help"])
    assert capsys.readouterr().err.startswith("bimsrec reference_pages: no such command")


def test_label_needs_a_folder():
    with pytest.raises(
        SystemExit, match=r"^error: bimsrec label STUDIES \[PORT\]; name the folder"
    ):
        main(["label", "nowhere"])


def test_label_needs_a_port_that_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # as if it were installed
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (str(taken.getsockname()[1]), "65536", "http"):
            with pytest.raises(SystemExit, match=f"^error: port {port}: .*; choose another PORT$"):
                main(["label", str(tmp_path), port])

"""Settings: rules as data, the order flag > file > preset > default, nothing mended in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestereo.errors import MissingExtra, SettingsError
from livestereo.parameters import PARAMETERS, for_matcher
from livestereo.render.colorize import COLORMAPS
from livestereo.settings import PRESETS, Settings, preset_names, resolve_settings
from livestereo.settings_file import save_preset


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_has_a_rule_and_every_default_follows_it() -> None:
    assert set(Settings.model_fields) - {"notes"} == set(PARAMETERS)
    for name, parameter in PARAMETERS.items():
        assert parameter.check(getattr(Settings(), name)) == getattr(Settings(), name)
        assert parameter.help.endswith(".") and parameter.label
        if parameter.kind in ("int", "float"):
            assert parameter.minimum is not None and parameter.maximum is not None and parameter.step > 0
    assert PARAMETERS["colormap"].choices == COLORMAPS, "the colour maps that can be drawn"


def test_presets_follow_the_rules() -> None:
    for name in PRESETS:
        assert resolve_settings(name, sgm=True).preset == name


ANYTHING = st.one_of(st.integers(-5000, 5000), st.floats(), st.text(max_size=4), st.booleans())


@given(st.sampled_from(sorted(PARAMETERS)), ANYTHING)
def test_a_value_is_taken_as_it_is_or_refused_by_name(name: str, value: object) -> None:
    try:
        settings = Settings.make({name: value})
    except SettingsError as error:
        assert name in error.what
    else:
        assert getattr(settings, name) == value


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_disparities": 60}, "num_disparities must be a multiple of 16"),
        ({"num_disparities": True}, "num_disparities"),
        ({"block_size": 4}, "block_size must be an odd number"),
        ({"matcher": "elas"}, "matcher must be one of sgbm, bm, sgm"),
        ({"min_depth": 3, "max_depth": 2}, "min_depth (3) must be below max_depth (2)"),
        ({"p1": 50, "p2": 50}, "p1 (50) must be below p2 (50)"),
        ({"matcher": "bm", "block_size": 3}, "block_size must be at least 5 with matcher bm"),
        ({"sped": 1}, "sped is not a setting"),
        ({"median": 4}, "median must be one of 0, 3, 5"),
        ({"wls_lambda": float("nan")}, "wls_lambda"),
    ],
)
def test_what_breaks_a_rule_is_told_with_the_rule(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.make(values)
    assert words in caught.value.what


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.make({"median": 4, "scale": 0.7})
    assert "median" in caught.value.what and "scale" in caught.value.what


def test_flag_beats_file_beats_preset_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('preset = "quality"\nmedian = 3\nspeckle_size = 7\n')
    settings = resolve_settings(None, {"speckle_size": 9, "wls": None}, file)
    assert (settings.preset, settings.median, settings.speckle_size, settings.wls) == ("quality", 3, 9, False)
    assert settings.mode == PRESETS["quality"].get("mode", "3way"), "of the preset"
    assert settings.uniqueness is None, "the default"
    assert resolve_settings("balanced", {}, file).median == 3, "the file beats a preset that a flag names"


def test_the_file_here_is_used_and_own_presets_build_on_others() -> None:
    desk, fine = '[presets.desk]\nbase = "turbo"\nmin_depth = 0.3\n', '[presets.fine]\nbase = "desk"\nmedian = 0\n'
    Path("livestereo.toml").write_text(desk + fine)
    settings = resolve_settings("fine", sgm=True)
    assert (settings.preset, settings.scale, settings.min_depth, settings.median) == ("fine", 0.5, 0.3, 0)
    assert preset_names() == ("balanced", "quality", "fast", "turbo", "desk", "fine")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("median = 4", "median must be one of"),
        ("median = ", "not valid TOML"),
        ('[presets.a]\nbase = "b"\n[presets.b]\nbase = "a"', "circle"),
        ("presets = 3", "presets must be tables"),
        ("[presets.a]\nmedian = 9", "preset a"),
        ("speed = 1", "speed is not a setting"),
        ('[presets.a]\nbase = "nope"', "Unknown preset: 'nope'"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        resolve_settings("a" if "presets.a" in text else None, {}, file)
    assert words in caught.value.what
    assert "wrong.toml" in caught.value.what or "nope" in words


def test_no_such_file_or_preset() -> None:
    with pytest.raises(SettingsError, match=r"no settings file nope\.toml"):
        resolve_settings(None, {}, Path("nope.toml"))
    with pytest.raises(SettingsError, match="Known: balanced, quality, fast, turbo"):
        resolve_settings("best")


def test_without_sgm_its_presets_fall_back_and_say_so_but_its_name_is_refused() -> None:
    for name in ("fast", "turbo"):
        settings = resolve_settings(name, sgm=False)
        assert (settings.matcher, settings.mode, settings.scale) == ("sgbm", "3way", 0.5)
        assert "pip install 'livestereo[fast]'" in settings.notes[0]
    assert resolve_settings("fast", {"matcher": "bm"}, sgm=False).notes == ()
    with pytest.raises(MissingExtra, match=r"pip install 'livestereo\[fast\]'"):
        resolve_settings("balanced", {"matcher": "sgm"}, sgm=False)


def test_who_names_the_scale_means_it() -> None:
    assert resolve_settings("balanced").keep_up is True
    assert resolve_settings("balanced", {"scale": 1}).keep_up is False


def test_settings_are_frozen_and_changed_makes_another() -> None:
    settings = Settings()
    assert settings.changed(median=0).median == 0 and settings.median == 5
    with pytest.raises(SettingsError):
        settings.changed(median=2)
    with pytest.raises(ValueError, match="frozen"):
        settings.median = 3
    assert settings.changed(colormap="gray").computes_otherwise(settings) is False
    assert settings.changed(median=0).computes_otherwise(settings) is True


def test_a_saved_preset_is_read_again_beside_what_stood_there(tmp_path: Path) -> None:
    file = tmp_path / "new" / "livestereo.toml"
    save_preset(file, "a", {"median": 0, "wls": True, "wls_sigma": 2.5, "mode": "hh", "min_depth": None})
    file.write_text('# mine\ncolormap = "gray"\n\n' + file.read_text())
    save_preset(file, "b", {"median": 3})
    save_preset(file, "a", {"median": 3, "matcher": "bm"})
    assert "# mine" in file.read_text()
    a = resolve_settings("a", {}, file)
    assert (a.median, a.matcher, a.wls, a.colormap) == (3, "bm", False, "gray")
    assert resolve_settings("b", {}, file).median == 3
    with pytest.raises(SettingsError, match="cannot name a preset"):
        save_preset(file, "a b", {})
    assert [p.name for p in file.parent.iterdir()] == ["livestereo.toml"], "no half file is left"


def test_a_saved_preset_leaves_the_rest_of_the_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "livestereo.toml"
    file.write_text("[presets.'desk']  # mine\nmedian = 0\n\n# For the other rig.\n[presets.far]\nmin_depth = 5.0\n")
    save_preset(file, "desk", {"median": 3})
    assert file.read_text() == ("# For the other rig.\n[presets.far]\nmin_depth = 5.0\n\n[presets.desk]\nmedian = 3\n")


@pytest.mark.parametrize(
    "text",
    [
        'presets = {desk={base="quality"}}',
        '[presets]\ndesk = {base="quality"}',
        '[presets]\ndesk.base = "quality"',
        'presets.desk.base = "quality"',
        'colormap = """\n[presets.desk]\n"""',
    ],
)
def test_a_file_of_another_form_is_never_made_unreadable(tmp_path: Path, text: str) -> None:
    file = tmp_path / "livestereo.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match="another name, or into another file with --config"):
        save_preset(file, "desk", {"median": 3})
    assert file.read_text() == text


def test_a_link_and_the_rights_of_a_file_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "livestereo.toml"
    real.write_text("median = 3\n")
    real.chmod(0o664)
    link.symlink_to(real)
    save_preset(link, "desk", {"median": 0})
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o664
    assert "[presets.desk]" in real.read_text()


def test_a_file_that_is_not_text_is_told_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "livestereo.toml"
    file.write_bytes(b"# M\xfcller\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        save_preset(file, "desk", {"median": 3})
    assert file.read_bytes() == b"# M\xfcller\n"


def test_what_a_file_takes_from_a_preset_that_is_named_is_told(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('mode = "hh"\nmedian = 3\n[presets.desk]\nmode = "sgbm"\nmin_depth = 0.3\n')
    notes = resolve_settings("desk", {}, file).notes
    assert len(notes) == 1 and "sets mode at its top level" in notes[0] and "median" not in notes[0]
    assert resolve_settings("desk", {"mode": "hh4"}, file).notes == ()
    assert resolve_settings(None, {}, file).notes == ()


def test_a_preset_names_its_base_not_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('[presets.desk]\npreset = "quality"\n')
    with pytest.raises(SettingsError, match="desk: preset cannot stand") as caught:
        resolve_settings("desk", {}, file)
    assert "base" in caught.value.fix


def test_a_panel_shows_what_applies_to_the_matcher() -> None:
    names = {matcher: [p.name for p in for_matcher(matcher)] for matcher in ("sgbm", "bm", "sgm")}
    assert "p1" in names["sgbm"] and "p1" not in names["sgm"] and "sgm_p1" in names["sgm"]
    assert "texture_threshold" in names["bm"] and "texture_threshold" not in names["sgbm"]
    assert all("threads" not in shown and "preset" not in shown for shown in names.values())

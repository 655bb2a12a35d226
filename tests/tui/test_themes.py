from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from tests.tui.cockpit import opened, replay_screen, until
from tunetui.session import shipped_folder
from tunetui.tui.opening import AppOptions, find_looks
from tunetui.tui.themes import load_themes, read_theme

THEMES, PROBLEMS = load_themes([shipped_folder("themes")])
GROUNDS = ("background", "surface", "panel")
WORDS = ("foreground", "text-success", "text-warning", "text-error", "text-accent", "text-primary")


def luminance(colour: Color) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = (part / 255 for part in (colour.r, colour.g, colour.b))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colours(theme: Theme) -> dict[str, str]:
    return theme.to_color_system().generate()


def over(ground: Color, text: str) -> Color:
    """A theme's colour as it is drawn on a ground: some are partly transparent."""
    if text.startswith("auto"):
        share = float(text.split()[1].rstrip("%")) / 100 if " " in text else 1.0
        best = max((Color(255, 255, 255), Color(0, 0, 0)), key=lambda ink: contrast(ink, ground))
        return ground.blend(best, share)
    found = Color.parse(text)
    return ground.blend(found.with_alpha(1), found.a)


def test_there_are_at_least_six_themes_and_nothing_is_wrong_with_them() -> None:
    assert PROBLEMS == []
    assert len(THEMES) >= 6
    assert "slate" in THEMES


@pytest.mark.parametrize("name", sorted(THEMES))
def test_every_text_has_a_contrast_of_at_least_4_5(name: str) -> None:
    known = colours(THEMES[name])
    poor = []
    for ground_name in GROUNDS:
        ground = Color.parse(known[ground_name])
        for word in WORDS:
            found = contrast(over(ground, known[word]), ground)
            if found < 4.5:
                poor.append(f"{word} on {ground_name}: {found:.2f}")
        muted = contrast(ground.blend(Color.parse(known["foreground"]), 0.7), ground)
        if muted < 4.5:
            poor.append(f"muted on {ground_name}: {muted:.2f}")
    cursor = Color.parse(known["block-cursor-background"])
    if (found := contrast(over(cursor, known["block-cursor-foreground"]), cursor)) < 4.5:
        poor.append(f"cursor: {found:.2f}")
    assert poor == []


# Viénot, Brettel and Mollon, "Digital video colourmaps for checking the legibility of displays by dichromats" (1999):
# what a protanope and a deuteranope see of linear RGB.
BLINDNESS = {
    "protan": ((0.1124, 0.8876, 0.0), (0.1124, 0.8876, 0.0), (0.004, -0.004, 1.0)),
    "deutan": ((0.2928, 0.7072, 0.0), (0.2928, 0.7072, 0.0), (-0.0223, 0.0223, 1.0)),
}


def seen_as(colour: Color, matrix: tuple[tuple[float, float, float], ...]) -> tuple[float, ...]:
    linear = [(part / 255) ** 2.2 for part in (colour.r, colour.g, colour.b)]
    return tuple(max(0.0, sum(w * p for w, p in zip(row, linear, strict=True))) ** (1 / 2.2) * 255 for row in matrix)


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("name", ["okabe", "slate"])
def test_good_warning_and_bad_look_different_to_the_colour_blind(name: str, blindness: str) -> None:
    known = colours(THEMES[name])
    ground = Color.parse(known["background"])
    tones = {word: over(ground, known[word]) for word in ("text-success", "text-warning", "text-error")}
    for one, other in combinations(tones, 2):
        a, b = (seen_as(tones[each], BLINDNESS[blindness]) for each in (one, other))
        distance = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
        assert distance > 20, f"{one} and {other}: {distance:.0f}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'x'", "primary is missing"),
        ("primary = 'nope'\nforeground='#fff'\nbackground='#000'", "primary: expected a colour"),
        ("primary = 3\nforeground='#fff'\nbackground='#000'", "primary: expected a colour"),
        ("primary = '#fff'\nforeground='#fff'\nbackground='#000'\nprimry='#fff'", "primry: no such key"),
        ("primary = '#fff'\nforeground='#fff'\nbackground='#000'\ndark=1", "dark: expected true or false"),
        ("primary = '#fff'\nforeground='#fff'\nbackground='#000'\nname=''", "name: expected 1 to 40"),
        (
            "primary = '#fff'\nforeground='#fff'\nbackground='#000'\n[variables]\nx='a b'",
            "variables.x: expected a colour",
        ),
        ("primary = ", "not TOML"),
    ],
)
def test_a_wrong_theme_is_named_and_left_out(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    themes, problems = load_themes([tmp_path])
    assert themes == {}
    assert said in str(problems[0])
    assert "mine.toml" in str(problems[0])


def test_a_users_theme_takes_the_place_of_ours_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "slate.toml").write_text("primary='#ff0000'\nforeground='#ffffff'\nbackground='#000000'\n")
    themes, problems = load_themes([shipped_folder("themes"), tmp_path])
    assert problems == []
    assert themes["slate"].primary == "#ff0000"
    assert read_theme(tmp_path / "slate.toml").name == "slate"


def test_an_unknown_theme_is_said_and_the_default_used() -> None:
    looks = find_looks(AppOptions(theme="nope"))
    assert looks.theme == "slate"
    assert "there is no theme 'nope'" in looks.problems[0]


def test_without_colour_the_theme_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert find_looks(AppOptions()).theme == "mono"


@pytest.mark.parametrize("name", sorted(THEMES))
async def test_the_app_can_be_drawn_in_every_theme(name: str) -> None:
    async with opened(replay_screen(), looks=find_looks(AppOptions(theme=name))) as pilot:
        await until(pilot, lambda: pilot.app.theme == name)
        await pilot.press("h")
        await pilot.pause()

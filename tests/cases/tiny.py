"""The folder of a small city that keeps cases, for nodes in processes of their own."""

from pathlib import Path

PROFILE = """
name: tiny
title: {en: Tiny town}
center: [123.4, 30.2]
timeZone: Asia/Shanghai
cases: cases.yaml
"""
CASES = """
calendar: calendar.yaml
departments:
  roads: {title: {en: Roads}}
  lighting: {title: {en: Lighting}}
"""
CALENDAR = """
calendar: tiny
timeZone: Asia/Shanghai
week: {mon-fri: ["08:00-12:00", "14:00-18:00"], sat: [], sun: []}
years: {2024..2060: {}}
"""


def tiny_city(folder: Path) -> tuple[Path, Path]:
    """Makes the city in `folder`; its own folder, and the file that its cases go by."""
    profile, city = folder / "profile", folder / "city"
    profile.mkdir(parents=True)
    for name, text in (("profile", PROFILE), ("cases", CASES), ("calendar", CALENDAR)):
        (profile / f"{name}.yaml").write_text(text)
    city.mkdir()
    (city / "city.yaml").write_text(f"profile: {profile}\n")
    return city, profile / "cases.yaml"

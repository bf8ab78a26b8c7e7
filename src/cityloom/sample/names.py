"""Names of the invented city, in English and Chinese. No real place is meant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Name(NamedTuple):
    en: str
    zh: str


CITY = Name("Loomhaven", "织港")
RIVER = Name("River Weft", "纬河")
LAKE = Name("Shuttle Lake", "梭湖")
SEA = Name("Selvedge Bay", "缘湾")

_FIRST = (
    "Willow 柳|Jade 玉|Crane 鹤|Cedar 杉|Plum 梅|Lotus 莲|Silver 银|Amber 珀|Orchid 兰|Pine 松|"
    "Cloud 云|Stone 石|Swallow 燕|Peach 桃|Bamboo 竹|Maple 枫|Heron 鹭|Copper 铜|Lantern 灯|Moon 月|"
    "Star 星|Rice 稻|Tea 茶|Silk 丝|Reed 苇|Carp 鲤|Deer 鹿|Cassia 桂|Mulberry 桑|Pear 梨|"
    "Apricot 杏|Iron 铁|Salt 盐|Drum 鼓|Bell 钟|Ink 墨|Kite 鸢|Oriole 莺|Pearl 珠|Frost 霜"
)
_SECOND = (
    "Hill 山|Bridge 桥|Ford 津|Gate 门|Field 田|Wharf 埠|Cove 湾|Garden 园|Spring 泉|Slope 坡|Well 井|"
    "Tower 塔|Mill 坊|Terrace 台|Creek 溪|Grove 林|Islet 洲|Ridge 岭|Pond 塘|Market 市|Orchard 圃|Lock 闸"
)
_BEFORE = (
    "North 北|South 南|East 东|West 西|Upper 上|Lower 下|Old 老|New 新|Inner 内|Outer 外|Great 大|Little 小"
)
_KINDS = (
    (Name(" Avenue", "大道"),),
    (Name(" Road", "路"),),
    (Name(" Street", "街"), Name(" Lane", "巷")),
)


def _words(text: str) -> list[str]:
    return text.split()


def _pairs(text: str) -> list[Name]:
    return [Name(*entry.split(" ")) for entry in text.split("|")]


def place_names(count: int, rng: np.random.Generator) -> list[Name]:
    """Draws `count` different names such as `Willow Hill`, 柳山.

    Past the 880 plain ones a word goes before (`North Willow Hill`, 北柳山), past those a number.
    """
    plain = [Name(f"{a.en} {b.en}", a.zh + b.zh) for a in _pairs(_FIRST) for b in _pairs(_SECOND)]
    names = [plain[i] for i in rng.permutation(len(plain))]
    if count > len(names):
        before = _pairs(_BEFORE)
        longer = [Name(f"{a.en} {b.en}", a.zh + b.zh) for a in before for b in plain]
        names += [longer[i] for i in rng.permutation(len(longer))]
    base = len(names)
    while count > len(names):
        turn = len(names) // base + 1
        names += [Name(f"{name.en} No. {turn}", f"{name.zh}{turn}号") for name in names[:base]]
    return names[:count]


def street_names(classes: list[int], rng: np.random.Generator) -> list[Name]:
    """Names one street per class: 0 an avenue, 1 a road, 2 a street or a lane."""
    names = place_names(len(classes), rng)
    picks = rng.integers(0, 2, len(classes))
    result = []
    for name, kind, pick in zip(names, classes, picks, strict=True):
        kinds = _KINDS[kind]
        tail = kinds[int(pick) % len(kinds)]
        result.append(Name(name.en + tail.en, name.zh + tail.zh))
    return result


_SURNAMES = _words("Zhao Qian Sun Li Zhou Wu Zheng Wang Feng Chen Chu Wei Jiang Shen Han Yang Zhu Qin Xu")
_GIVEN = _words("An Bo Chun Dan En Fang Gang Hui Jing Kai Lan Mei Ning Peng Qi Rui Shu Tao Wen Xin Yan Zhen")


def people(count: int, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Draws invented reporters: full names, and telephone numbers of a code that no network has."""
    surnames = rng.integers(0, len(_SURNAMES), count)
    given = rng.integers(0, len(_GIVEN), count)
    numbers = rng.integers(0, 10_000_000, count)
    full = [f"{_SURNAMES[a]} {_GIVEN[b]}" for a, b in zip(surnames, given, strict=True)]
    return full, [f"000-{number:07d}" for number in numbers]

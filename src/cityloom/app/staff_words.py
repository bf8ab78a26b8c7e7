"""What the invented people of the sample city say when they act: a few sentences for each occasion.

Each is told in English and in Chinese, as the sample's other words are.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "reject": (
        "Nothing of the kind at the place that was named / 所述地点未发现该问题",
        "Private ground: the owner was told / 属私有用地，已告知业主",
    ),
    "void": (
        "The collector found it done already / 监督员到场时问题已消除",
        "Not a matter of the city's / 不属于城市管理事项",
    ),
    "merge": ("The same thing was reported before / 与此前上报的为同一问题",),
    "nothing found": ("Looked for a quarter of an hour, nothing there / 现场查找一刻钟，未发现问题",),
    "verify": (
        "Seen, as reported / 现场属实，与上报一致",
        "Seen; it is on the other side of the street / 情况属实，位于道路对侧",
        "Seen, and worse than reported / 情况属实，且比上报的严重",
    ),
    "requestReturn": (
        "Not ours: another office keeps this stretch / 非本部门职责，该路段由其他部门管养",
        "Not ours by the list of duties / 按职责清单不属于本部门",
        "We were there: nothing that we could do / 已到现场，非我方可处置事项",
    ),
    "grantReturn": (
        "Agreed, it goes to another department / 同意，改派其他部门",
        "Agreed, dispatched wrongly / 同意，派遣有误",
    ),
    "refuseReturn": (
        "It is yours by the list of duties, item by item / 按职责清单属于贵部门",
        "You had the same place last month; please go on / 上月同一地点由贵部门处置，请继续",
    ),
    "instruct": (
        "Three offices have sent it on; whoever had it first does it now / 已被多次退回，由首接部门负责处置",
        "Twice was enough: done properly this time, with photos / 不得再次返工，须附照片",
    ),
    "requestDelay": (
        "The part is ordered and comes tomorrow / 配件已订购，明日到货",
        "The crew is still with the fallen trees / 抢修人员仍在处置倒伏树木",
        "The ground is too wet to be dug / 地面积水，暂无法开挖",
    ),
    "grantDelay": ("Granted once; not again / 同意延时一次", "Granted because of the storm / 因暴雨同意延时"),
    "refuseDelay": ("No: people trip over it / 不同意，已影响行人安全",),
    "requestAccount": (
        "Needs a permit of the river authority first / 须先取得河道主管部门许可",
        "The post must be made to measure, six weeks / 灯杆需定制，工期六周",
    ),
    "grantAccount": ("Granted; looked at again each Monday / 同意挂账，每周一复查",),
    "forceClose": ("The house is torn down next month; nothing is mended there / 该处下月拆除，不再修缮",),
    "failCheck": (
        "Half of it is still there / 仍有一半未处置",
        "Swept around, not under / 仅清理周边，未彻底清理",
        "The photo shows another corner / 照片并非该地点",
    ),
    "passCheck": (
        "Done, seen on the spot / 现场核查，已处置",
        "Done; the neighbours agree / 已处置，周边居民认可",
        "Done, clean work / 处置到位",
    ),
    "followUp": (
        "Satisfied / 满意",
        "Satisfied, would have liked to hear sooner / 满意，希望更早得到反馈",
        "Satisfied; thanks the crew / 满意，感谢处置人员",
    ),
    "reopen": (
        "The caller says that it was back after a day / 市民反映次日问题再次出现",
        "The caller says that only the front was done / 市民反映仅处置了表面",
    ),
    "appeal": (
        "The street was closed by the police until the evening / 道路被交警封闭至傍晚",
        "We had eleven crews out in the storm, and no twelfth / 暴雨当日十一支队伍全部在外，无力增派",
        "The address was wrong; we searched for hours / 地址有误，查找耗时数小时",
    ),
    "supportAppeal": ("The dispatch log bears it out / 派遣记录属实，予以支持",),
    "grantAppeal": (
        "Granted: nobody could have got there in time / 申诉成立，客观上无法按时到达",
        "Granted; the lateness stays visible / 申诉成立，超时事实保留",
    ),
    "refuseAppeal": (
        "Refused: two cases in the same street were done that day / 不成立，同日同路段已处置两件",
        "Refused: a delay could have been asked for / 不成立，当时可申请延时",
    ),
}


def words(occasion: str, chance: random.Random) -> str:
    """One of the sentences for an occasion, which is a move's name or near it."""
    return chance.choice(WORDS[occasion])

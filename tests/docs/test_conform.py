"""The writer of what ETSI's suite found, and its judgement of what fails; the suite is not run here."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = "TP/NGSI-LD/ContextSource/Discovery/Query/037_10.robot"
OTHER = "IOP_TP/NGSI-LD/Interoperability/Provision/IOP_CNF_04_01.robot"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def failure(test: str, file: str = FILE, area: str = "ContextSource/Discovery") -> dict[str, Any]:
    return {"area": area, "file": file, "test": test, "message": f"{test}: 200 != 400 | no"}


def miss(*tests: str, file: str = FILE) -> dict[str, Any]:
    named = [{"file": file, "test": test} for test in tests]
    return {"clause": "5.10.2.4", "reason": "Too wide.", "tests": named}


def scores(**changes: Any) -> dict[str, Any]:
    areas = {"ContextSource/Discovery": {"passed": 8, "total": 9}, "several": {"passed": 24, "total": 24}}
    return {"commit": "5da9", "date": "2026-08-17", "areas": areas, "failed": [], **changes}


def test_page_tells_areas_version_and_reasons() -> None:
    failed = [failure("037_10_01 With Ids"), failure("037_10_02 New")]
    text = script("conformance_page").suite(scores(failed=failed), [miss("037_10_01 With Ids")])
    assert "commit `5da9` (2026-08-17)" in text
    assert "| ContextSource/Discovery | 8 | 9 |" in text
    assert "| **one broker** | 8 | 9 |" in text
    assert "| **several brokers** | 24 | 24 |" in text
    assert "| 5.10.2.4 | `037_10_01` | Too wide. |" in text
    assert "| ContextSource/Discovery | `037_10_02` | 037_10_02 New: 200 != 400 \\| no |" in text


def test_page_leaves_out_reasons_of_tests_that_pass() -> None:
    text = script("conformance_page").suite(scores(), [miss("037_10_01 With Ids")])
    assert "5.10.2.4" not in text
    assert "nobody has told" not in text


def test_failure_without_a_reason_and_miss_that_passes_are_told() -> None:
    judged = script("conform").judged
    known, new = failure("037_10_01 With Ids"), failure("037_10_02 New")
    misses = [miss("037_10_01 With Ids", "037_10_03 Passes"), miss("IOP_CNF_04_01 X", file=OTHER)]
    lines = judged([known, new], misses, ["ContextSource/Discovery"])
    assert [line.partition(" (")[0] for line in lines] == [
        "037_10_02 New fails without a reason: 037_10_02 New: 200 != 400 | no",
        "037_10_03 Passes passes, and is listed as a miss by clause 5.10.2.4",
    ]
    assert any("IOP_CNF_04_01" in line for line in judged([known], misses, ["several"]))


def test_same_test_name_in_another_file_is_another_test() -> None:
    lines = script("conform").judged(
        [failure("037_10_01 With Ids", file=OTHER)], [miss("037_10_01 With Ids")], ["ContextSource/Discovery"]
    )
    assert len(lines) == 2


def test_areas_that_did_not_run_keep_their_scores_on_the_same_suite() -> None:
    merged = script("conform").merged
    before = scores(failed=[failure("037_10_01 With Ids"), failure("IOP_CNF_04_01 X", OTHER, "several")])
    now = scores(areas={"several": {"passed": 23, "total": 24}}, failed=[failure("N", OTHER, "several")])
    both = merged(before, now)
    assert both["areas"] == {
        "ContextSource/Discovery": {"passed": 8, "total": 9},
        "several": {"passed": 23, "total": 24},
    }
    assert [row["test"] for row in both["failed"]] == ["037_10_01 With Ids", "N"]
    assert merged({**before, "commit": "other"}, now)["areas"] == now["areas"]


def test_areas_run_in_the_order_asked_for() -> None:
    in_order = script("conform").in_order
    areas = ["several", "jsonldContext/Provision", "CommonBehaviours/Tenancy"]
    forward = ["CommonBehaviours/Tenancy", "jsonldContext/Provision", "several"]
    assert in_order(areas, "forward") == forward
    assert in_order(areas, "reverse") == forward[::-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "GIT_DIR is required"),
        (["no-such-folder"], "GIT_DIR is invalid: no-such-folder is no git copy"),
        (["--runner", "no-such-program", "."], "no-such-program does not exist"),
    ],
)
def test_command_says_what_is_missing(tmp_path: Path, options: list[str], said: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "conform.py"), "--work", str(tmp_path)]
    runner = [] if "--runner" in options else ["--runner", __file__]
    done = subprocess.run(
        [*command, *runner, *options], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_misses_name_each_test_once_with_clause_and_reason() -> None:
    misses = yaml.safe_load((ROOT / "docs" / "conformance-misses.yaml").read_text())
    named = [(test["file"], test["test"]) for each in misses for test in each["tests"]]
    assert len(named) == len(set(named))
    assert all(each["clause"] and each["reason"] and each["tests"] for each in misses)


def test_readme_tells_the_scores_of_the_last_run() -> None:
    areas = yaml.safe_load((ROOT / "docs" / "conformance-suite.yaml").read_text())["areas"]
    several = areas.pop("several")
    passed, total = (sum(row[name] for row in areas.values()) for name in ("passed", "total"))
    told = (
        f"{passed:,} of {total:,} tests pass for one broker and "
        f"{several['passed']} of {several['total']} for several"
    )
    assert told in (ROOT / "README.md").read_text()

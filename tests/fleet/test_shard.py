"""Parts of the work for processes that know nothing of each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamella.errors import UsageError
from lamella.fleet.shard import Shard


@given(st.integers(1, 20), st.lists(st.text()))
def test_each_image_is_in_one_part(count: int, names: list[str]) -> None:
    """Whatever others there are."""
    shards = [Shard(number, count) for number in range(1, count + 1)]
    assert all(sum(name in shard for shard in shards) == 1 for name in names)


def test_parts_are_about_as_large() -> None:
    """Of 1,000 images each of four processes gets a quarter, give or take a fifth of that."""
    names = [f"docker://reg.example/team/app{number}:v1" for number in range(1000)]
    sizes = [sum(name in Shard(number, 4) for name in names) for number in range(1, 5)]
    assert all(200 <= size <= 300 for size in sizes), sizes


@pytest.mark.parametrize(
    ("text", "variables", "wanted"),
    [
        ("1/4", {}, (1, 4)),
        ("4/4", {}, (4, 4)),
        ("auto/4", {"JOB_COMPLETION_INDEX": "0"}, (1, 4)),
        ("auto", {"JOB_COMPLETION_INDEX": "3", "LAMELLA_SHARDS": "4"}, (4, 4)),
        ("auto", {"CI_NODE_INDEX": "1", "CI_NODE_TOTAL": "5"}, (1, 5)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "3"}, None),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "7",
                "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "5",
            },
            (3, 3),
        ),
        ("auto", {"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "2"}, (1, 2)),
        ("0/4", {}, None),
        ("5/4", {}, None),
        ("1", {}, None),
        ("a/b", {}, None),
        ("-1/4", {}, None),
        ("1/0", {}, None),
        ("1/4/4", {}, None),
        ("auto", {}, None),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, None),
        ("auto/4", {"JOB_COMPLETION_INDEX": "4"}, None),
        ("auto/4", {"JOB_COMPLETION_INDEX": "x"}, None),
        ("auto/x", {"CI_NODE_INDEX": "1"}, None),
    ],
)
def test_what_is_typed(
    text: str, variables: dict[str, str], wanted: tuple[int, int] | None
) -> None:
    """By number, or as Kubernetes, GitLab and SLURM number their jobs; all else is refused."""
    if wanted is not None:
        assert Shard.parse(text, variables) == Shard(*wanted)
        return
    with pytest.raises(UsageError):
        Shard.parse(text, variables)

"""A part of the images for each of several processes that know nothing of each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lamella.errors import UsageError

__all__ = ["Shard"]

_NUMBER = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """One of several parts, numbered from 1.

    Which part an image is in depends on its name alone: processes that list a registry at different
    moments still agree about each image.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        """Check that there is such a part.

        Raises:
            UsageError: there is not.
        """
        if not 1 <= self.number <= self.count:
            raise UsageError(f"shard {self}: expected I/N, 1/4 to 4/4 for four processes")

    def __contains__(self, source: object) -> bool:
        """Whether an image is in this part, by its reference."""
        name = hashlib.sha256(str(source).encode(errors="surrogateescape")).digest()
        return int.from_bytes(name[:8], "big") % self.count == self.number - 1

    def __str__(self) -> str:
        """Return what a user would type."""
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str, variables: Mapping[str, str]) -> Shard:
        """Read ``I/N``, ``auto`` or ``auto/N``.

        Args:
            text: what was typed.
            variables: of the environment, by which Kubernetes, GitLab and SLURM number their jobs.

        Raises:
            UsageError: it makes no sense, or nothing in the environment numbers this process.
        """
        first, _, count = text.partition("/")
        if first == "auto":
            return _automatic(count, variables)
        return _checked(first, count, text)


def _checked(number: str, count: str, what: str) -> Shard:
    if _NUMBER.fullmatch(number) and _NUMBER.fullmatch(count):
        one, all_ = int(number), int(count)
        if 1 <= one <= all_:
            return Shard(one, all_)
    raise UsageError(f"shard {what!r}: expected I/N, 1/4 to 4/4 for four processes, or auto")


def _automatic(count: str, variables: Mapping[str, str]) -> Shard:
    """Find out which process this is.

    Kubernetes counts from 0 and does not tell how many there are:
    https://kubernetes.io/docs/tasks/job/indexed-parallel-processing-static/; GitLab counts from 1:
    https://docs.gitlab.com/ci/variables/predefined_variables/; SLURM from what the job says:
    https://slurm.schedmd.com/job_array.html.
    """
    if index := variables.get("JOB_COMPLETION_INDEX"):
        count = count or variables.get("LAMELLA_SHARDS", "")
        if not count:
            raise UsageError(
                "shard auto: JOB_COMPLETION_INDEX does not tell how many processes there are; "
                "give auto/N, or LAMELLA_SHARDS=N, with N as the job's `completions`"
            )
        what = f"JOB_COMPLETION_INDEX={index} of {count}"
        return _checked(str(int(index) + 1) if _NUMBER.fullmatch(index) else index, count, what)
    if index := variables.get("CI_NODE_INDEX"):
        count = count or variables.get("CI_NODE_TOTAL", "")
        return _checked(index, count, f"CI_NODE_INDEX={index}, CI_NODE_TOTAL={count}")
    if index := variables.get("SLURM_ARRAY_TASK_ID"):
        count = count or variables.get("SLURM_ARRAY_TASK_COUNT", "")
        lowest = variables.get("SLURM_ARRAY_TASK_MIN", "0")
        what = f"SLURM_ARRAY_TASK_ID={index} of {count} from {lowest} on"
        if not (_NUMBER.fullmatch(index) and _NUMBER.fullmatch(lowest)):
            raise UsageError(f"shard auto: {what}: expected numbers")
        return _checked(str(int(index) - int(lowest) + 1), count, what)
    raise UsageError(
        "shard auto: this process has no number: expected JOB_COMPLETION_INDEX (Kubernetes), "
        "CI_NODE_INDEX (GitLab) or SLURM_ARRAY_TASK_ID; give I/N"
    )

"""The files of `deploy/`: valid by their schemas, and made for the exit codes of lamella."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lamella import errors
from lamella.fleet import shard
from tests.ci.runner import ROOT
from tests.fleet.deployed import (
    DASK,
    DEPLOY,
    GITLAB,
    INDEXED,
    PARTS,
    SLURM,
    directives,
    gitlab,
    indexed,
    of_dask,
    pod_of,
    pods,
)
from tests.support.schemas import assert_kubernetes, assert_valid

FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
VERSIONS = ("1.29", "1.37")
"""Of Kubernetes: the oldest that has what we use, and the newest that the schemas know."""


# --- Are they valid? ------------------------------------------------------------------------------


def check(path: Path) -> None:
    """Check a file by GitLab's schema, or by those of Kubernetes."""
    if path.name == GITLAB.name:
        assert_valid(path, "--builtin-schema", "vendor.gitlab-ci")
    else:
        for version in VERSIONS:
            assert_kubernetes(path, version)


@pytest.mark.parametrize("path", [INDEXED, DASK, GITLAB], ids=lambda path: path.stem)
def test_a_file_is_valid(path: Path) -> None:
    """By the published schema; no field is unknown."""
    check(path)


def test_the_script_is_valid() -> None:
    """By bash; and SLURM reads no directive behind the first command."""
    subprocess.run(["bash", "-n", SLURM], check=True)
    lines = SLURM.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    last = max(i for i, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert last < first
    assert len(directives()) == sum(line.startswith("#SBATCH") for line in lines)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        (INDEXED, "completionMode:", "completionmode:"),
        (INDEXED, "backoffLimitPerIndex: 3", "backoffLimitPerIndex: three"),
        (INDEXED, "action: FailIndex", "when: FailIndex"),
        (DASK, "containerPort: 8786", "containerPort: dask"),
        (DASK, "kind: Service", "kind: Servant"),
        (GITLAB, "parallel: 4", "parallel: 0"),
        (GITLAB, "exit_codes:", "exit_code:"),
    ],
)
def test_what_is_not_valid_is_noticed(path: Path, old: str, new: str, tmp_path: Path) -> None:
    """The checks above can fail."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    broken = tmp_path / path.name
    broken.write_text(text.replace(old, new))
    with pytest.raises(AssertionError):
        check(broken)


# --- What no schema says --------------------------------------------------------------------------


def codes_of(job: Mapping[str, Any], action: str) -> list[int]:
    """Return for which exit codes a Job does something."""
    rules = [one for one in job["spec"]["podFailurePolicy"]["rules"] if one["action"] == action]
    return [code for one in rules if "onExitCodes" in one for code in one["onExitCodes"]["values"]]


def check_job(job: Mapping[str, Any], final: str) -> None:
    """Check what Kubernetes asks of a Job beyond its schema, and what we ask.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/
    """
    spec, pod = job["spec"], pod_of(job)
    assert pod["restartPolicy"] == "Never", "podFailurePolicy needs it"
    [runs] = pod["containers"]
    for rule in spec["podFailurePolicy"]["rules"]:
        if found := rule.get("onExitCodes"):
            assert found["containerName"] == runs["name"]
            assert found["values"] == sorted(set(found["values"])), "refused unless in order"
            assert 0 not in found["values"]
    assert codes_of(job, "Count") == [errors.EngineError.exit_code]
    never = (errors.ImageError, errors.OutputError, errors.UsageError, errors.ImageNotFound)
    assert set(codes_of(job, final)) == {kind.exit_code for kind in never}


def check_indexed(job: Mapping[str, Any]) -> None:
    """Check that the Indexed Job has as many parts as it tells lamella of."""
    check_job(job, "FailIndex")
    spec, [runs] = job["spec"], pod_of(job)["containers"]
    assert spec["completionMode"] == "Indexed", "else backoffLimitPerIndex is refused"
    assert spec["backoffLimitPerIndex"] > 0
    assert "--shard=auto" in runs["args"]
    told = {one["name"]: one["value"] for one in runs["env"]}
    assert told["LAMELLA_SHARDS"] == str(spec["completions"])
    assert spec["parallelism"] <= spec["completions"]


def test_jobs_are_accepted() -> None:
    """And their retries fit the exit codes of lamella."""
    check_indexed(indexed())
    check_job(of_dask()["Job lamella"], "FailJob")


def set_in(value: Any, path: Sequence[str | int], new: object) -> None:  # noqa: ANN401 - YAML
    """Set a value deep in a document."""
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


@pytest.mark.parametrize(
    ("where", "new"),
    [
        (("completions",), 5),
        (("completionMode",), "NonIndexed"),
        (("podFailurePolicy", "rules", 1, "onExitCodes", "values"), [1]),
        (("podFailurePolicy", "rules", 2, "onExitCodes", "values"), [7, 2, 1]),
        (("podFailurePolicy", "rules", 2, "onExitCodes", "containerName"), "main"),
        (("template", "spec", "restartPolicy"), "OnFailure"),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, tuple) else "",
)
def test_a_job_that_makes_no_sense_is_noticed(where: Sequence[str | int], new: object) -> None:
    """The checks above can fail."""
    job = copy.deepcopy(indexed())
    set_in(job["spec"], where, new)
    with pytest.raises(AssertionError):
        check_indexed(job)


def test_exit_codes_are_those_of_the_page() -> None:
    """Each code of the table is in a rule, or one that batch does not end with."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    table = page.partition("### Exit codes\n")[2].partition("\n###")[0]
    told = {
        int(code): text for code, text in re.findall(r"^\| (\d+) \| (.*?) \|", table, re.MULTILINE)
    }
    job = indexed()
    ruled = {*codes_of(job, "Count"), *codes_of(job, "FailIndex")}
    assert told.keys() - ruled == {0, 3, 4, 6, 130}
    assert "`--exit-code`" in told[3]
    assert "`verify`" in told[4]
    assert "`analyze`" in told[6]
    assert told[5].startswith("an engine could not be reached")


@pytest.mark.parametrize("name", pods())
def test_pods_may_do_little(name: str) -> None:
    """No root, no writing but to /tmp, no account, so much memory; every volume is there."""
    pod = pods()[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert "sizeLimit" in volumes["tmp"]["emptyDir"]
    for one in (*pod.get("initContainers", ()), *pod["containers"]):
        context = one["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        assert one["resources"]["limits"].keys() >= {"cpu", "memory"}
        mounts = {mount["name"]: mount for mount in one["volumeMounts"]}
        assert mounts["tmp"]["mountPath"] == "/tmp"  # noqa: S108 - of a container
        assert mounts.keys() <= volumes.keys()
        for mounted in mounts.keys() - {"tmp"}:
            assert mounts[mounted]["readOnly"] is True
            assert volumes[mounted]["secret"]["secretName"] == "lamella-registry"


def test_selectors_find_their_pods() -> None:
    """Of both Deployments, the Service and the policy that keeps others away."""
    found = of_dask()
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for name, one in found.items()
        if "template" in one["spec"]
    }
    for name in ("Deployment lamella-scheduler", "Deployment lamella-worker"):
        assert found[name]["spec"]["selector"]["matchLabels"] == labels[name]
    service = found["Service lamella-scheduler"]["spec"]
    fits = [name for name, has in labels.items() if service["selector"].items() <= has.items()]
    assert fits == ["Deployment lamella-scheduler"]
    policy = found["NetworkPolicy lamella"]["spec"]
    [rule] = policy["ingress"]
    for selector in (policy["podSelector"], rule["from"][0]["podSelector"]):
        assert all(selector["matchLabels"].items() <= has.items() for has in labels.values())


def credentials_in(text: str) -> list[str]:
    """Return what looks like a credential outside of comments."""
    said = re.sub(r"(?:^|(?<=\s))#.*", "", text, flags=re.MULTILINE)
    return re.findall(r"(?i)password|secretKeyRef|_TOKEN|--authfile|kind: Secret", said)


def test_no_file_has_a_credential() -> None:
    """Nor is one handed over in an argument, or in a variable: all read a file."""
    for path in FILES:
        text = "\n".join(
            line for line in path.read_text(encoding="utf-8").splitlines() if "#" not in line
        )
        assert not re.search(r"(?i)password|secretKeyRef|_TOKEN|--authfile|kind: Secret", text), (
            path
        )
    for pod in pods().values():
        for one in pod["containers"]:
            if any("secret" in volume for volume in pod["volumes"]):
                env = {variable["name"]: variable["value"] for variable in one["env"]}
                assert env["REGISTRY_AUTH_FILE"] == "/run/secrets/registry/auth.json"


def test_all_use_one_image() -> None:
    """That of the Dockerfile, which has lamella with Dask and does not run as root."""
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    image = "reg.example/tools/lamella:VERSION"
    assert f"-t {image} deploy" in dockerfile
    steps = [line.split() for line in dockerfile.splitlines() if line and line[0] != "#"]
    assert [step[0] for step in steps] == ["FROM", "ARG", "RUN", "USER"]
    assert steps[0][1] == "python:3.13-slim"
    assert steps[2][-1] == '"lamella[dask]==${VERSION}"'
    for pod in pods().values():
        user = pod["securityContext"]
        assert steps[3][1] == f"{user['runAsUser']}:{user['runAsGroup']}"
        every = (*pod.get("initContainers", ()), *pod["containers"])
        assert {one["image"] for one in every} == {image}
    assert gitlab()["image"] == image


def test_all_divide_the_work_alike() -> None:
    """The page tells of one number of parts."""
    assert indexed()["spec"]["completions"] == PARTS
    assert gitlab()["parallel"] == PARTS
    assert directives()["array"] == f"0-{PARTS - 1}"


def test_the_page_tells_what_numbers_a_process() -> None:
    """Each variable that is read, and each file that there is."""
    page = (ROOT / "docs" / "fleets.md").read_text(encoding="utf-8")
    source = Path(shard.__file__).read_text(encoding="utf-8")
    variables = set(re.findall(r'variables\.get\("(\w+)"', source))
    assert len(variables) == 7
    assert [name for name in variables if f"`{name}`" not in page] == []
    for path in FILES:
        assert f"](../{path.relative_to(ROOT)})" in page, path

"""The files of `deploy/`: valid by their schemas, and what they start does every image once."""

from __future__ import annotations

import base64
import copy
import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lamella import errors
from lamella.fleet import shard
from lamella.fleet.task import SOURCE
from tests.ci.runner import ROOT, environment
from tests.fleet.conftest import fill
from tests.fleet.deployed import DEPLOY, HOST, Process, container, finished, objects, pod_of
from tests.odd.answers import Oddly
from tests.odd.registry import MemoryRegistry, registry_in_memory
from tests.support.schemas import assert_kubernetes, assert_valid

INDEXED = DEPLOY / "kubernetes" / "indexed-job.yaml"
DASK = DEPLOY / "kubernetes" / "dask.yaml"
GITLAB = DEPLOY / "gitlab" / "fleet.gitlab-ci.yml"
SLURM = DEPLOY / "slurm" / "fleet.sbatch"
FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
VERSIONS = ("1.29", "1.37")
"""Of Kubernetes: the oldest that has what we use, and the newest that the schemas know."""
PASSWORD = "s3cr3t-of-the-registry"
NAMES = [f"team/{app}:{tag}" for app in ("app", "web", "db") for tag in ("v1", "v2", "old")]
PART = 4
"""Into how many parts all files divide the work."""
SLOW = pytest.mark.slow


def indexed() -> dict[str, Any]:
    """Return the Indexed Job."""
    [job] = objects(INDEXED)
    return job


def of_dask() -> dict[str, dict[str, Any]]:
    """Return the objects of the Dask cluster, by kind and name."""
    return {f"{one['kind']} {one['metadata']['name']}": one for one in objects(DASK)}


def gitlab() -> dict[str, Any]:
    """Return the job of GitLab."""
    [job] = yaml.safe_load(GITLAB.read_text(encoding="utf-8")).values()
    assert isinstance(job, dict)
    return job


def directives() -> dict[str, str]:
    """Return what the script asks SLURM for."""
    found = re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", SLURM.read_text(), re.MULTILINE)
    return dict(found)


def pods() -> dict[str, dict[str, Any]]:
    """Return how each pod is made, by where it is."""
    dask = {name: one for name, one in of_dask().items() if "template" in one["spec"]}
    return {name: pod_of(one) for name, one in {"indexed": indexed(), **dask}.items()}


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
    assert indexed()["spec"]["completions"] == PART
    assert gitlab()["parallel"] == PART
    assert directives()["array"] == f"0-{PART - 1}"


def test_the_page_tells_what_numbers_a_process() -> None:
    """Each variable that is read, and each file that there is."""
    page = (ROOT / "docs" / "fleets.md").read_text(encoding="utf-8")
    source = Path(shard.__file__).read_text(encoding="utf-8")
    variables = set(re.findall(r'variables\.get\("(\w+)"', source))
    assert len(variables) == 7
    assert [name for name in variables if f"`{name}`" not in page] == []
    for path in FILES:
        assert f"](../{path.relative_to(ROOT)})" in page, path


# --- What they start ------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[MemoryRegistry]:
    """A registry with nine images to squash and one that is none of theirs, behind a password."""
    with registry_in_memory(Oddly(0)) as found:
        fill(found.host, tmp_path, *NAMES, "other/app:v1")
        found.guarded, found.login, found.page = True, f"fleet:{PASSWORD}", 2
        yield found


@pytest.fixture
def folder(tmp_path: Path, guarded: MemoryRegistry) -> Path:
    """A working folder with the credentials in a file, as `podman login` writes them."""
    made = tmp_path / "work"
    made.mkdir()
    auth = base64.b64encode(guarded.login.encode()).decode()
    (made / "auth.json").write_text(json.dumps({"auths": {guarded.host: {"auth": auth}}}))
    return made


def on_kubernetes(folder: Path) -> list[Process]:
    """Return the pods of the Indexed Job."""
    job = indexed()
    process = container(pod_of(job), "lamella", folder)
    return [
        Process(process.command, {**process.env, "JOB_COMPLETION_INDEX": str(index)}, folder)
        for index in range(job["spec"]["completions"])
    ]


def on_gitlab(folder: Path) -> list[Process]:
    """Return the jobs of the pipeline: their script in one shell that stops at errors."""
    job, count = gitlab(), gitlab()["parallel"]
    script = ("sh", "-ec", "\n".join(job["script"]))
    own = {**job["variables"], "REGISTRY_AUTH_FILE": str(folder / "auth.json")}
    return [
        Process(script, {**own, "CI_NODE_INDEX": str(n), "CI_NODE_TOTAL": str(count)}, folder)
        for n in range(1, count + 1)
    ]


def on_slurm(folder: Path) -> list[Process]:
    """Return the tasks of the array, with an `scontrol` that writes down what it is told."""
    home = folder / "home" / ".config" / "containers"
    home.mkdir(parents=True)
    (folder / "auth.json").rename(home / "auth.json")
    tools = folder / "tools"
    tools.mkdir()
    (tools / "scontrol").write_text('#!/bin/sh\necho "$*" >>requeued\n')
    (tools / "scontrol").chmod(0o755)
    found = directives()
    first, last = map(int, found["array"].split("-"))
    env = {
        "PATH": f"{tools}{os.pathsep}{environment()['PATH']}",
        "HOME": str(folder / "home"),
        "SLURM_ARRAY_JOB_ID": "17",
        "SLURM_ARRAY_TASK_COUNT": str(last - first + 1),
        "SLURM_ARRAY_TASK_MIN": str(first),
        "SLURM_CPUS_PER_TASK": found["cpus-per-task"],
    }
    script = ("bash", "-c", SLURM.read_text(encoding="utf-8"))
    return [
        Process(script, {**env, "SLURM_ARRAY_TASK_ID": str(number)}, folder)
        for number in range(first, last + 1)
    ]


RUNNERS = [on_kubernetes, on_gitlab, on_slurm]


def outcomes(folder: Path, outputs: Sequence[str]) -> list[dict[str, Any]]:
    """Return what has come of images so far: from the journals, or else from the logs."""
    journals = [path.read_text() for path in folder.glob("*.jsonl")]
    return [json.loads(line) for text in journals or outputs for line in text.splitlines()]


@SLOW
@pytest.mark.parametrize("runner", RUNNERS)
def test_every_image_is_done_once(
    runner: Callable[[Path], list[Process]], guarded: MemoryRegistry, folder: Path
) -> None:
    """By one of the processes; a second run finds nothing to do. Nobody is told the password."""
    processes = [one.naming(HOST, guarded.host) for one in runner(folder)]
    assert len(processes) == PART
    assert not any(
        PASSWORD in word for one in processes for word in (*one.command, *one.env.values())
    )
    outputs: list[str] = []
    for states in ({"squashed"}, {"squashed", "unchanged"}):
        ended = finished(processes)
        assert [code for code, _, _ in ended] == [0] * PART, ended
        outputs += [out for _, out, _ in ended]
        done = {(one["source"], one["state"]): one for one in outcomes(folder, outputs)}
        wanted = {(f"docker://{guarded.host}/{name}", state) for name in NAMES for state in states}
        assert done.keys() == wanted
        assert len(outcomes(folder, outputs)) == len(wanted)
    slim = {f"{repo}:{tag}" for repo, tag in guarded.manifests if repo.startswith("slim/")}
    assert {name for name in slim if ":sha256:" not in name} == {f"slim/{name}" for name in NAMES}
    for name in NAMES:
        _, raw = guarded.manifests[f"slim/{name.partition(':')[0]}", name.partition(":")[2]]
        assert SOURCE in json.loads(raw)["annotations"]


@SLOW
@pytest.mark.parametrize("runner", RUNNERS)
def test_without_the_file_no_image_is_done(
    runner: Callable[[Path], list[Process]], guarded: MemoryRegistry, folder: Path
) -> None:
    """So it is the file that lets them in; the message says what to do."""
    first, *_ = (one.naming(HOST, guarded.host) for one in runner(folder))
    [auth] = folder.rglob("auth.json")
    auth.unlink()
    [(code, _, err)] = finished([first])
    assert code == 5
    assert "log in with docker login" in err


@SLOW
def test_a_task_of_slurm_starts_again_after_a_failed_registry(folder: Path) -> None:
    """As often as the script says; after other failures never."""
    nowhere, twice = "127.0.0.1:1", {"SLURM_RESTART_COUNT": "2"}
    first = on_slurm(folder)[0].naming(HOST, nowhere)
    again = Process(first.command, {**first.env, **twice}, folder)
    last = Process(first.command, {**first.env, "SLURM_RESTART_COUNT": "3"}, folder)
    assert [code for code, _, _ in finished([first, again, last])] == [5, 5, 5]
    assert (folder / "requeued").read_text() == "requeue 17_0\n" * 2
    wrong = first.naming("--auto", "--last 0")
    assert [code for code, _, _ in finished([wrong])] == [2]
    assert (folder / "requeued").read_text() == "requeue 17_0\n" * 2


@SLOW
def test_dask_does_every_image_once(guarded: MemoryRegistry, folder: Path) -> None:
    """Scheduler, workers, what waits for them, and the job: all as the file says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    found = of_dask()

    def process(of: str, name: str) -> Process:
        one = container(pod_of(found[of]), name, folder).naming(HOST, guarded.host)
        one = one.naming("lamella-scheduler:8786", address)
        return one.naming("--port=8786", f"--port={address.partition(':')[2]}")

    scheduler = process("Deployment lamella-scheduler", "scheduler")
    worker = process("Deployment lamella-worker", "worker")
    cluster = [
        one.start()
        for one in (scheduler, *[worker] * found["Deployment lamella-worker"]["spec"]["replicas"])
    ]
    try:
        [(code, _, err)] = finished([process("Job lamella", "workers")])
        assert code == 0, err
        [(code, out, err)] = finished([process("Job lamella", "lamella")])
    finally:
        for one in cluster:
            one.terminate()
        for one in cluster:
            one.communicate(timeout=30)
    assert code == 0, err
    done = [json.loads(line) for line in out.splitlines()]
    assert sorted(one["source"] for one in done) == sorted(
        f"docker://{guarded.host}/{name}" for name in NAMES
    )
    assert {one["state"] for one in done} <= {"squashed", "copied"}

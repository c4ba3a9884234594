"""``lamella squash``: every option does what its help says."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lamella.spec.digest import Digest
from tests.cli.conftest import Lamella
from tests.cli.running import run
from tests.support.images import docker_archive, made_by
from tests.transport.forms import (
    TARS,
    Layout,
    layout_of,
    several_images,
    state_of,
    validate_archive,
    validate_layout,
)

DIFF_IDS = [str(Digest.of(tar)) for tar in TARS]


def squashed(lamella: Lamella, app: str, work: Path, *options: str) -> dict[str, Any]:
    """Squash into a new archive; return its config."""
    lamella("squash", app, "-o", f"docker-archive:{work}/new.tar", *options).worked()
    return validate_archive(work / "new.tar")


def diff_ids(config: dict[str, Any]) -> list[str]:
    """Name the layers of a config."""
    found = config["rootfs"]["diff_ids"]
    assert isinstance(found, list)
    return found


# --- Which layers ---------------------------------------------------------------------------------


def test_without_a_choice_all_layers_become_one(lamella: Lamella, app: str, work: Path) -> None:
    """The whole image is squashed."""
    assert len(diff_ids(squashed(lamella, app, work))) == 1


@pytest.mark.parametrize(
    "choice",
    [
        [DIFF_IDS[0]],
        [DIFF_IDS[0].removeprefix("sha256:")[:4]],
        ["#1"],
        ["--from", "#1"],
        ["--last", "2"],
        ["--layers", "2-3"],
    ],
)
def test_layers_above_the_first_are_chosen_in_every_way(
    lamella: Lamella, app: str, work: Path, choice: list[str]
) -> None:
    """LAYER, --from, --last and --layers name the same layers, and leave the base untouched."""
    found = diff_ids(squashed(lamella, app, work, *choice))
    assert len(found) == 2
    assert found[0] == DIFF_IDS[0]


def test_layers_may_be_given_again_for_another_range(lamella: Lamella, work: Path) -> None:
    """Two ranges become two layers, the one between them stays."""
    source = work / "four.tar"
    source.write_bytes(docker_archive(*TARS, *TARS))
    ranges = ["--layers", "1-2", "--layers", "4-6"]
    found = diff_ids(squashed(lamella, f"docker-archive:{source}", work, *ranges))
    assert len(found) == 3
    assert found[1] == DIFF_IDS[2]


def test_layer_may_be_another_image_of_the_archive(lamella: Lamella, work: Path) -> None:
    """The base is named by its tag; the summary says that it is shared."""
    source = work / "both.tar"
    source.write_bytes(several_images({"base:1": TARS[:1], "app:latest": TARS}))
    app = f"docker-archive:{source}:app"
    ran = lamella("squash", app, "base:1", "new:1", "-o", f"docker-archive:{work}/new.tar").worked()
    assert diff_ids(validate_archive(work / "new.tar"))[0] == DIFF_IDS[0]
    assert "shared with" in ran.err


def test_base_of_an_image_on_stdin_is_found_beside_it(lamella: Lamella, work: Path) -> None:
    """A stream can be read only once, and has both images."""
    both = several_images({"base:1": TARS[:1], "app:latest": TARS})
    target = ["-o", f"docker-archive:{work}/new.tar"]
    lamella("squash", "docker-archive:-:app", "base:1", *target, stdin=both).worked()
    assert diff_ids(validate_archive(work / "new.tar"))[0] == DIFF_IDS[0]


def test_layer_may_be_an_image_elsewhere(lamella: Lamella, app: str, work: Path) -> None:
    """A reference says where the base is."""
    layout = layout_of(TARS[:1]).write(work / "base")
    assert diff_ids(squashed(lamella, app, work, f"oci:{layout}"))[0] == DIFF_IDS[0]


# --- Where to, and what it is called --------------------------------------------------------------


def test_every_tag_is_given(lamella: Lamella, app: str, work: Path) -> None:
    """TAG, -t and the tag of the output name the image."""
    target = f"docker-archive:{work}/new.tar:in/output"
    tags = ["-t", "one", "-t", "example.com:5000/two:2"]
    ran = lamella("squash", app, "#1", "three:3", *tags, "-o", target, "--json").worked()
    names = ["in/output:latest", "one:latest", "example.com:5000/two:2", "three:3"]
    assert json.loads(ran.out)["image"]["tags"] == names
    listed = lamella("layers", f"docker-archive:{work}/new.tar:one", "--json").worked()
    assert json.loads(listed.out)["tags"] == names


def test_tags_of_a_layout_are_as_typed(lamella: Lamella, app: str, work: Path) -> None:
    """A layout knows names, not repositories: no :latest is put behind them."""
    ran = lamella("squash", app, "-o", f"oci:{work}/new:v1", "-t", "slim", "--json").worked()
    assert json.loads(ran.out)["image"]["tags"] == ["v1", "slim"]
    for tag in ("v1", "slim"):
        validate_layout(work / "new", tag)


@pytest.mark.parametrize("compression", ["gzip", "gzip:1", "zstd", "zstd:19", "none"])
def test_compression_of_the_new_layer(
    lamella: Lamella, app: str, work: Path, compression: str
) -> None:
    """The media type says how it is compressed; the layer is the same."""
    target = ["-o", f"oci:{work}/new", "--compression", compression]
    lamella("squash", app, "#1", *target).worked()
    manifest, config = validate_layout(work / "new")
    suffix = manifest["layers"][1]["mediaType"].removeprefix(
        "application/vnd.oci.image.layer.v1.tar"
    )
    assert suffix == {"gzip": "+gzip", "zstd": "+zstd", "none": ""}[compression.partition(":")[0]]
    assert diff_ids(config) == diff_ids(squashed(lamella, app, work, "#1"))


def test_platform_chooses_from_an_index(lamella: Lamella, work: Path) -> None:
    """Each platform's image can be squashed."""
    made = Layout()
    for arch, tars in (("amd64", TARS), ("arm64", TARS[:2])):
        platform = {"os": "linux", "architecture": arch}
        made.add(made.manifest(tars, config={"architecture": arch}), platform=platform)
    source = f"oci:{made.write(work / 'both')}"
    for arch, before in (("amd64", 3), ("arm64", 2)):
        target = ["-o", f"oci:{work}/{arch}", "--platform", f"linux/{arch}", "--json"]
        found = json.loads(lamella("squash", source, *target).worked().out)
        assert found["layers"]["before"] == before
        assert validate_layout(work / arch)[1]["architecture"] == arch


# --- What the new image says ----------------------------------------------------------------------


def test_history_merge_has_one_entry_for_the_squashed(
    lamella: Lamella, app: str, work: Path
) -> None:
    """By default the base's entries and one new one are left; --message is its comment."""
    history = squashed(lamella, app, work, "--last", "2", "--message", "made small")["history"]
    assert [h["created_by"] for h in history] == [
        "FROM scratch",
        "ENV A=b",
        "lamella squash # 2 layers",
    ]
    assert history[-1]["comment"] == "made small"


def test_history_keep_leaves_all_entries(lamella: Lamella, app: str, work: Path) -> None:
    """The squashed ones are marked empty."""
    history = squashed(lamella, app, work, "--last", "2", "--history", "keep")["history"]
    assert [bool(h.get("empty_layer")) for h in history] == [False, True, True, True, False]
    assert [h["created_by"] for h in history][:4] == [
        "FROM scratch",
        "ENV A=b",
        "RUN change",
        "RUN add",
    ]


def test_created_is_the_sources_by_default(lamella: Lamella, app: str, work: Path) -> None:
    """The same image tomorrow is the same image."""
    for choice in ([], ["--created", "source"]):
        assert squashed(lamella, app, work, *choice)["created"] == "2024-05-06T07:08:09Z"


def test_created_now_asks_the_clock(lamella: Lamella, app: str, work: Path) -> None:
    """The only option with which two runs differ."""
    before = int(time.time())
    created = datetime.fromisoformat(squashed(lamella, app, work, "--created", "now")["created"])
    assert before <= created.timestamp() <= time.time()


@pytest.mark.parametrize("moment", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456789+02:00"])
def test_created_may_be_a_time(lamella: Lamella, app: str, work: Path, moment: str) -> None:
    """It is written as it was typed, in the config and in the new history entry."""
    config = squashed(lamella, app, work, "--created", moment)
    assert config["created"] == config["history"][-1]["created"] == moment


def test_created_may_be_a_day(lamella: Lamella, app: str, work: Path) -> None:
    """Engines want a whole time: it begins at midnight, UTC."""
    config = squashed(lamella, app, work, "--created", "2026-01-31")
    assert config["created"] == "2026-01-31T00:00:00Z"


@pytest.mark.parametrize(
    "moment",
    [
        "rubbish",
        "2026-02-30",
        "20260131T120000Z",
        "2026-01-31T12:00:00",
        "2026-13-01T00:00:00Z",
        "",
    ],
)
def test_created_refuses_what_engines_cannot_read(
    lamella: Lamella, app: str, work: Path, moment: str
) -> None:
    """Docker parses the time strictly; an image with another can't be loaded."""
    target = ["-o", f"docker-archive:{work}/new.tar", "--created", moment]
    lamella("squash", app, *target).failed(2, "--created", "2026-01-31T12:00:00Z")


def test_source_date_epoch_is_honoured(lamella: Lamella, app: str, work: Path) -> None:
    """As reproducible-builds.org has it; --created says otherwise, if given."""
    target = f"docker-archive:{work}/new.tar"
    env = {"SOURCE_DATE_EPOCH": "86400"}
    lamella("squash", app, "-o", target, env=env).worked()
    assert validate_archive(work / "new.tar")["created"] == datetime.fromtimestamp(
        86400, UTC
    ).strftime("%Y-%m-%dT%H:%M:%SZ")
    lamella("squash", app, "-o", target, "--created", "source", env=env).worked()
    assert validate_archive(work / "new.tar")["created"] == "2024-05-06T07:08:09Z"


@pytest.mark.parametrize("epoch", ["tomorrow", "1e9", "9" * 30, "-99999999999999"])
def test_source_date_epoch_that_is_no_time_is_refused(
    lamella: Lamella, app: str, work: Path, epoch: str
) -> None:
    """Silently taking another time would break what the variable is for."""
    target = f"docker-archive:{work}/new.tar"
    ran = lamella("squash", app, "-o", target, env={"SOURCE_DATE_EPOCH": epoch})
    ran.failed(2, "SOURCE_DATE_EPOCH")


def test_output_does_not_depend_on_the_hash_seed(app: str, work: Path, tmp: Path) -> None:
    """Two runs give the same bytes, in an archive and in a layout."""
    for seed in ("1", "2"):
        for form in ("docker-archive", "oci-archive"):
            target = f"{form}:{work}/{form}-{seed}"
            run("squash", app, "-o", target, tmp=tmp, env={"PYTHONHASHSEED": seed}).worked()
    for form in ("docker-archive", "oci-archive"):
        first, second = ((work / f"{form}-{seed}").read_bytes() for seed in ("1", "2"))
        assert first == second


# --- What it says and how it ends -----------------------------------------------------------------


def test_stdout_has_the_id_and_nothing_else(lamella: Lamella, app: str, work: Path) -> None:
    """A script takes it from there; what is for people goes to stderr."""
    ran = lamella("squash", app, "-o", f"docker-archive:{work}/new.tar", "-t", "app:new").worked()
    listed = lamella("layers", f"docker-archive:{work}/new.tar", "--json").worked()
    assert ran.text == json.loads(listed.out)["id"] + "\n"
    assert "squashed" in ran.err
    assert "app:new" in ran.err
    assert "3 → 1" in ran.err


def test_quiet_says_nothing_but_the_id(lamella: Lamella, app: str, work: Path) -> None:
    """-q leaves stderr for errors."""
    ran = lamella("squash", app, "-q", "-o", f"docker-archive:{work}/new.tar").worked()
    assert ran.err == ""
    assert ran.text.startswith("sha256:")


def test_json_is_one_document_on_stdout(lamella: Lamella, app: str, work: Path) -> None:
    """It says where the image came from, where it went and what that took."""
    target = f"oci:{work}/new:1"
    ran = lamella("squash", app, "#1", "-o", target, "--json", "--verify").worked()
    found = json.loads(ran.out)
    manifest, _ = validate_layout(work / "new", "1")
    assert found["version"] == 1
    assert found["squashed"] is found["verified"] is True
    assert found["image"]["destination"] == target
    assert found["image"]["id"] == manifest["config"]["digest"]
    assert (
        found["image"]["digest"]
        == json.loads((work / "new/index.json").read_bytes())["manifests"][0]["digest"]
    )
    assert found["layers"] == {"before": 3, "after": 2, "kept": 1}
    assert found["ranges"][0]["diff_id"] == str(Digest.of(_merged(work)))
    # what is deleted or overwritten in the base stays there
    assert [w["path"] for w in found["ranges"][0]["whiteouts"]] == ["etc/old"]


def _merged(work: Path) -> bytes:
    manifest, _ = validate_layout(work / "new", "1")
    name: str = manifest["layers"][1]["digest"]
    return (work / "new/blobs" / name.replace(":", "/")).read_bytes()


def test_dry_run_writes_nothing(lamella: Lamella, app: str, work: Path) -> None:
    """It shows the plan and the sizes; it needs no destination, and leaves the one given alone.

    The plan is its result, so it is on standard output, and --quiet leaves it.
    """
    before = state_of(work)
    for target in ([], ["-o", f"docker-archive:{work}/new.tar"], ["-o", f"oci:{work}/new"]):
        ran = lamella("squash", app, "#1", "--dry-run", *target).worked()
        assert "nothing was written" in ran.text
        assert "/etc/old" in ran.text
        assert ran.err == ""
        assert lamella("squash", app, "#1", "--dry-run", "-q", *target).worked() == ran
    assert state_of(work) == before


def test_dry_run_foretells_what_is_done(lamella: Lamella, app: str, work: Path) -> None:
    """Sizes, whiteouts and causes are the same; only what is made is missing."""
    target = ["-o", f"docker-archive:{work}/new.tar", "--json"]
    planned = json.loads(lamella("squash", app, "#1", "--dry-run", "--json").worked().out)
    done = json.loads(lamella("squash", app, "#1", *target).worked().out)
    assert planned["dry_run"]
    assert planned["image"]["id"] == ""
    for key in ("layers", "bytes", "removed"):
        assert planned[key] == done[key]
    for key in ("bytes_before", "bytes_after", "entries", "whiteouts", "promoted"):
        assert planned["ranges"][0][key] == done["ranges"][0][key]


def test_verify_says_that_it_was_proved(lamella: Lamella, app: str, work: Path) -> None:
    """The proof comes before anything is published."""
    ran = lamella("squash", app, "--verify", "-o", f"docker-archive:{work}/new.tar").worked()
    assert "verified" in ran.err


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (["--last", "1"], "only layer 3 was chosen"),
        (["2"], "only layer 3 is above layer 2"),
        (["3"], "no layer is above layer 3"),
        (["--layers", "2"], "only layer 2 was chosen"),
        (
            ["--layers", "2", "--layers", "3"],
            "each chosen range has only one layer",
        ),
        (["--max-layers", "5"], "the image has 3 layers, and 5 are allowed"),
    ],
)
def test_nothing_to_squash_is_no_failure(
    lamella: Lamella, app: str, work: Path, choice: list[str], reason: str
) -> None:
    """The image arrives as it is, stderr says why; --exit-code is for scripts that care."""
    target = ["-o", f"docker-archive:{work}/new.tar"]
    for code, option in ((0, []), (3, ["--exit-code"])):
        ran = lamella("squash", app, *choice, *target, *option).worked(code)
        assert f"nothing to squash: {reason}\n" in ran.err
        assert diff_ids(validate_archive(work / "new.tar")) == DIFF_IDS
    same = json.loads(lamella("layers", app, "--json").worked().out)["id"]
    assert ran.text == same + "\n"


def test_exit_code_is_0_when_there_was_something_to_squash(
    lamella: Lamella, app: str, work: Path
) -> None:
    """--exit-code changes nothing then; with --dry-run it only asks."""
    lamella("squash", app, "--exit-code", "-o", f"docker-archive:{work}/new.tar").worked(0)
    lamella("squash", app, "--exit-code", "--dry-run", "--last", "1").worked(3)


def test_cleanup_leaves_a_file_alone(lamella: Lamella, app: str, work: Path) -> None:
    """Only an engine's image is removed; stderr says so."""
    ran = lamella("squash", app, "--cleanup", "-o", f"docker-archive:{work}/new.tar").worked()
    assert "--cleanup: the source is a file" in ran.err
    assert Path(app.partition(":")[2]).exists()


def test_plain_progress_is_lines(lamella: Lamella, app: str, work: Path) -> None:
    """--progress plain names each phase; none and -q name none."""
    target = ["-o", f"docker-archive:{work}/new.tar"]
    ran = lamella("squash", app, *target, "--progress", "plain").worked()
    lines = ran.err.splitlines()
    assert "write the merged layer" in lines
    assert "publish" in lines
    for quiet in (["--progress", "none"], ["-q", "--progress", "plain"]):
        assert "publish" not in lamella("squash", app, *target, *quiet).worked().err


def test_history_of_an_archive_without_one_is_not_invented(lamella: Lamella, work: Path) -> None:
    """No history before, none after; made_by is for images that have one."""
    source = work / "bare.tar"
    source.write_bytes(docker_archive(*TARS))
    assert "history" not in squashed(lamella, f"docker-archive:{source}", work)
    source.write_bytes(docker_archive(*TARS, history=made_by("a", "b", "c")))
    assert len(squashed(lamella, f"docker-archive:{source}", work)["history"]) == 1


@pytest.mark.parametrize(
    ("output", "row"),
    [
        ("oci:{}/new", ""),
        ("oci-archive:{}/new.tar", ""),
        (
            "docker-archive:{}/new.tar",
            "converted manifest and annotations not kept, kept layers zstd → plain",
        ),
    ],
)
def test_conversions_are_told(lamella: Lamella, work: Path, output: str, row: str) -> None:
    """What becomes of the manifest and of layers that stay is seen, as text and as JSON."""
    made = Layout()
    made.add(made.manifest(compression="zstd", annotations={"a": "b"}))
    source = f"oci:{made.write(work / 'source')}"
    target = ["--last", "2", "-o", output.format(work)]
    ran = lamella("squash", source, *target).worked()
    assert [line for line in ran.err.splitlines() if line.startswith("converted")] == [row][
        : len(row)
    ]
    found = json.loads(lamella("squash", source, *target, "--json").worked().out)
    assert found["converted"] == row.removeprefix("converted ")


def test_archive_into_a_layout_gets_a_manifest(lamella: Lamella, app: str, work: Path) -> None:
    """An archive has none, so that is told as well."""
    ran = lamella("squash", app, "#1", "-o", f"oci:{work}/new").worked()
    assert "converted OCI manifest added\n" in ran.err


def test_attestation_is_written_beside_the_image(lamella: Lamella, app: str, work: Path) -> None:
    """It is checked before any work that it can be; a dry run has nothing to state."""
    target = ("-o", f"oci:{work}/new:slim")
    ran = lamella("squash", app, *target, "--attest", f"{work}/none/a.json").failed(1)
    assert "none/a.json" in ran.err
    assert not (work / "new").exists()
    lamella("squash", app, *target, "--attest", f"{work}/a.json", "--dry-run").worked()
    assert not (work / "a.json").exists()
    ran = lamella("squash", app, *target, "--attest", f"{work}/a.json", "--verify").worked()
    statement = json.loads((work / "a.json").read_text())
    assert statement["subject"][0]["digest"] == {"sha256": ran.text.strip().partition(":")[2]}
    assert statement["predicate"]["verified"] is True

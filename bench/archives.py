"""Cases that need no engine: archives, layouts, compression, what a start takes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import analysis, chain, scan
from bench.case import Case, Way
from bench.goals import COPIES, THREAD
from bench.measure import Sample, inside
from bench.shop import Shop
from lamella.layer.opener import digest_of
from tests.engines.process import run
from tests.engines.tools import find_skopeo, find_umoci


def hash_all(*archives: Path) -> None:
    """Hash all layers of some archives, on all cores."""
    work = sorted((s for path in archives for s in scan.spans(path)), key=lambda s: -s.size)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(digest_of, work))


def between_archives(shop: Shop, name: str) -> list[Way]:
    """The floors and lamella, from archive to archive."""
    source, result = shop.archive(name), shop.folder / "result.tar"

    def copy() -> Sample:
        result.unlink(missing_ok=True)
        return shop.run(["cp", "--reflink=never", shop.merged(name), result])

    def floor() -> Sample:
        merged = shop.merged(name)
        return inside(lambda: hash_all(source, merged))

    return [
        Way("floor: hashing", floor),
        Way("copy of the output", copy),
        Way("lamella", lambda: shop.squash(name, result)),
    ]


def large_archive(shop: Shop) -> Iterator[Case]:
    """The large image, and one with a very large layer."""
    name = shop.large
    ways = between_archives(shop, name)
    ways += _told_by(chain.__file__, shop.archive(name), {"thread": THREAD})
    yield Case("archive", "archive → archive", shop.facts[name], ways)
    name = "one-layer" if shop.full else "one-small"
    ways = between_archives(shop, name)
    yield Case("one-layer", "archive → archive, one large layer", shop.facts[name], ways)
    shop.drop(name)


def out_of_docker(shop: Shop, name: str) -> list[Way]:
    """docker-squash into an archive, and what Docker itself takes of that."""
    source, result = shop.archive(name), shop.folder / "result.tar"
    image = f"bench:{name}"

    def loaded() -> str:
        if image not in shop.docker.docker("images", "--format", "{{.Repository}}:{{.Tag}}"):
            shop.docker.docker("load", "--quiet", "--input", source, timeout=600)
            shop.docker.docker("tag", "bench:latest", image)
        return image

    def save() -> Sample:
        return shop.in_docker("docker", "save", loaded())

    def docker_squash() -> Sample:
        options = ("-t", "bench:squashed", "--load-image", "false", "--output-path", result)
        result.unlink(missing_ok=True)
        return shop.in_docker(shop.peers / "docker-squash", *options, loaded())

    return [
        Way("docker save alone", save, slow=True),
        Way("docker-squash", docker_squash, slow=True),
    ]


def many_entries(shop: Shop) -> Iterator[Case]:
    """Tiny files: a squash, and what scanning and planning take as entries grow."""
    ways = between_archives(shop, "tiny")
    yield Case("tiny", "archive → archive, tiny files", shop.facts["tiny"], ways)
    for name in ["tiny"] if shop.quick else ["tiny", "tiny-30", "tiny-100"]:
        source = shop.archive(name)
        yield Case(f"entries-{name}", "scan and plan", shop.facts[name], _parts(source), warm=False)
        shop.drop(name)
    source = shop.archive(shop.large)
    ways = _parts(source)[:1]
    ways.append(Way("lamella layers", lambda: shop.run([shop.lamella, "layers", source])))
    yield Case("layers", "listing an archive's layers", shop.facts[shop.large], ways)
    parts = {"scan": "scan", "hash": COPIES, "analysis": "analysis"}
    ways = _told_by(analysis.__file__, source, parts)
    yield Case("analysis", "taking an image apart", shop.facts[shop.large], ways, warm=False)


def _parts(source: Path) -> list[Way]:
    """Scanning, and the planning that came after it."""
    return _told_by(scan.__file__, source, {"scan": "scan", "plan": "plan"})


def _told_by(script: str | None, source: Path, names: dict[str, str]) -> list[Way]:
    """Ways of which one process tells all seconds, by their keys in what it prints."""
    found: dict[str, float] = {}
    first = next(iter(names))

    def way(key: str) -> Callable[[], Sample]:
        def told() -> Sample:
            if key == first:
                found.update(json.loads(run([sys.executable, str(script), str(source)])))
            return Sample(found[key], found[key])

        return told

    return [Way(name, way(key)) for key, name in names.items()]


def peers_of_archives(shop: Shop) -> Iterator[Case]:
    """Tools without an engine: oci-squash, skopeo, umoci."""
    name = shop.for_peers
    source, result = shop.archive(name), shop.folder / "result.tar"

    def oci_squash() -> Sample:
        result.unlink(missing_ok=True)
        return shop.run([shop.peers / "oci-squash", source, "-o", result, "-t", "bench:squashed"])

    def skopeo() -> Sample:
        result.unlink(missing_ok=True)
        tool = find_skopeo()
        places = (f"docker-archive:{source}", f"docker-archive:{result}")
        return shop.run([tool.path, *tool.arguments, "copy", "--quiet", *places])

    ways = [
        *reversed(between_archives(shop, name)),
        *out_of_docker(shop, name),
        Way("skopeo copy (no squash)", skopeo),
        Way("oci-squash", oci_squash, slow=True),
    ]
    facts = shop.facts[name]
    yield Case("archive-peers", "archive → archive, beside others", facts, ways)
    yield Case("layout-peers", "layout folder → layout folder, gzip", facts, _layouts(shop, name))


def _layouts(shop: Shop, name: str) -> list[Way]:
    source, result = shop.layout(name, "gzip:1"), shop.folder / "result"

    def squash() -> Sample:
        shutil.rmtree(result, ignore_errors=True)
        options = ("-q", "--compression", "gzip", "-o", f"oci:{result}:squashed")
        return shop.run([shop.lamella, "squash", f"oci:{source}:latest", *options])

    def umoci() -> Sample:
        for path in (result, shop.folder / "bundle"):
            shutil.rmtree(path, ignore_errors=True)
        tool, bundle, image = find_umoci().path, shop.folder / "bundle", f"{result}:squashed"
        sample = shop.run([tool, "unpack", "--image", f"{source}:latest", bundle])
        sample += shop.run([tool, "init", "--layout", result])
        sample += shop.run([tool, "new", "--image", image])
        sample += shop.run([tool, "insert", "--image", image, bundle / "rootfs", "/"])
        shutil.rmtree(bundle)
        return sample

    return [Way("lamella", squash), Way("umoci unpack, insert", umoci, slow=True)]


def compressed(shop: Shop) -> Iterator[Case]:
    """Compressed layers in, and out on one core and on all."""
    name = "real-large" if shop.full else "real"
    source, result = shop.archive(name), shop.folder / "result.tar"
    inputs = {kind: shop.layout(name, level) for kind, level in LEVELS.items()}

    def way(image: str, kind: str, *before: str) -> Callable[[], Sample]:
        words = [*before, str(shop.lamella), "squash", image, "-q", "--compression", kind]

        def run() -> Sample:
            result.unlink(missing_ok=True)
            return shop.run([*words, "-o", f"oci-archive:{result}"])

        return run

    ways = [Way("not compressed", way(str(source), "none"))]
    ways += [
        Way(f"{kind} in", way(f"oci:{folder}:latest", "none")) for kind, folder in inputs.items()
    ]
    first = str(min(os.sched_getaffinity(0)))
    for kind in LEVELS:
        ways.append(Way(f"{kind} out, one core", way(str(source), kind, "taskset", "-c", first)))
        ways.append(Way(f"{kind} out, all cores", way(str(source), kind)))
    yield Case("compressed", "compressed layers in and out", shop.facts[name], ways)


LEVELS = {"gzip": "gzip:6", "zstd": "zstd:3"}


def start(shop: Shop) -> Iterator[Case]:
    """What a start takes: the version, and one press of the tab key in a shell."""
    complete = {
        "_LAMELLA_COMPLETE": "bash_complete",
        "COMP_WORDS": "lamella sq",
        "COMP_CWORD": "1",
    }
    ways = [
        Way("python -c pass", lambda: shop.run([sys.executable, "-c", "pass"])),
        Way("lamella --version", lambda: shop.run([shop.lamella, "--version"])),
        Way("completion", lambda: shop.run([shop.lamella], env=complete)),
    ]
    yield Case("start", "start", {"image": "none"}, ways)

"""Secrets that a squash leaves out: all names of the file, and nothing that only has its path."""

from __future__ import annotations

import pytest

from lamella.errors import UsageError
from lamella.image import Image
from lamella.layer.opener import LayerOpener
from lamella.layer.spool import Spool
from lamella.merge.edits import NO_EDITS
from lamella.operations.merge_layers import Prepared, prepare
from lamella.operations.notes import tell_edited
from lamella.operations.planning import Edited
from lamella.operations.prove import prove
from lamella.operations.secrets import FoundSecret
from lamella.progress import SILENT
from lamella.selection import Selection
from tests.analysis.secrets.examples import EXAMPLES, base62_token
from tests.properties.reference import flatten
from tests.support.images import image
from tests.support.progress import Recorder
from tests.support.squashing import stream_of
from tests.support.tars import entry, folder, layer, link, whiteout

BODY = b"MIIEsecretsecretsecret"
KEY = b"-----BEGIN RSA PRIV" + b"ATE KEY-----\n" + BODY
HARMLESS = b"see the manual\n"
BASE = layer(folder("etc"), entry("etc/app.key", HARMLESS), entry("etc/passwd", b"root"))


class Squashed:
    """A squash without secrets, proven; what is in the new layers."""

    def __init__(self, source: Image, *ranges: range) -> None:
        with LayerOpener(Spool()) as opener:
            selection = Selection(ranges, alone=True)
            ready = prepare(source, selection, opener, SILENT, remove_secrets=True)
            prove(ready, NO_EDITS)
            self.edited = ready.edited
            self.layers = _new_layers(ready)

    @property
    def paths(self) -> set[str]:
        """What a container sees."""
        return {path.decode() for path in flatten(self.layers)}

    @property
    def removed(self) -> list[str]:
        """Which secrets were left out."""
        return [cut.secret.path.decode() for cut in self.edited.secrets]

    @property
    def kept(self) -> list[tuple[int, str]]:
        """Which are in layers that stay."""
        return [(one.layer, one.path.decode()) for one in self.edited.kept_secrets]

    def holds(self, content: bytes) -> bool:
        """Whether any layer has some bytes."""
        return any(content in tar for tar in self.layers)


def _new_layers(ready: Prepared) -> list[bytes]:
    tars, at = [], 0
    starts = {positions.start: positions for positions in ready.plans}
    while at < len(ready.image.layers):
        if at in starts:
            tars.append(stream_of(ready.merged(starts[at])))
            at = starts[at].stop
        else:
            tar = ready.tars[at]
            tars.append(tar.read_at(0, tar.size))
            at += 1
    return tars


def test_a_secret_is_gone_with_its_bytes() -> None:
    """Shown or deleted; what is beside it stays."""
    dead = layer("d/", entry("d/old.key", KEY + b"dead"))
    live = layer(whiteout("d/old.key"), entry("d/new.key", KEY + b"live"), "d/file")
    new = Squashed(image(BASE, dead, live), range(1, 3))
    assert new.paths == {"etc", "etc/app.key", "etc/passwd", "d", "d/file"}
    assert not new.holds(BODY)
    assert new.removed == ["d/new.key"]


def test_all_names_of_the_file_are_gone() -> None:
    """A file that lost its suspicious name only would live on by the other ones."""
    tar = layer(entry("a.key", KEY), link("plain", "a.key"))
    new = Squashed(image(BASE, tar, layer("file")), range(1, 3))
    assert new.paths == {"etc", "etc/app.key", "etc/passwd", "file"}
    assert not new.holds(BODY)


def test_what_took_the_secret_s_place_stays() -> None:
    """The path is that of a secret in a lower layer only."""
    new = Squashed(
        image(BASE, layer(entry("a.key", KEY)), layer(entry("a.key", HARMLESS))), range(1, 3)
    )
    assert "a.key" in new.paths
    assert new.removed == []
    assert not new.holds(BODY)


def test_what_the_base_has_at_the_path_is_not_seen_again() -> None:
    """The image showed the secret there; it shows nothing now."""
    new = Squashed(image(BASE, layer(entry("etc/app.key", KEY)), layer("file")), range(1, 3))
    assert "etc/app.key" not in new.paths
    assert not new.holds(BODY)


def test_one_range_leaves_out_what_a_later_one_shows_anew() -> None:
    """What is harmless there is shown."""
    tars = [layer(entry("a.key", KEY)), layer("x"), layer(entry("a.key", HARMLESS)), layer("y")]
    new = Squashed(image(BASE, *tars), range(1, 3), range(3, 5))
    assert new.removed == ["a.key"]
    assert "a.key" in new.paths
    assert not new.holds(BODY)


def test_a_layer_that_is_kept_keeps_its_secret_and_is_told() -> None:
    """Below and above, shown or not."""
    base = layer(entry("base.key", KEY))
    tars = [base, layer(whiteout("base.key"), "x"), layer("y"), layer(entry("top.key", KEY))]
    new = Squashed(image(*tars), range(1, 3))
    assert new.kept == [(1, "base.key"), (4, "top.key")]
    assert new.removed == []


def test_a_new_name_of_a_kept_secret_is_left_out() -> None:
    """The merged layer would repeat the file to link to it."""
    base = layer(entry("base.key", KEY), "d/")
    new = Squashed(image(base, layer(link("d/again", "base.key")), layer("x")), range(1, 3))
    assert new.removed == ["d/again"]
    assert new.kept == [(1, "base.key")]
    assert BODY not in new.layers[1]


def test_a_layer_alone_is_written_again_if_it_has_a_secret() -> None:
    """Also one that says the path a second time; others stay as they are."""
    shown = layer(entry("a.key", KEY), "a")
    twice = layer(entry("b.key", KEY), entry("b.key", HARMLESS))
    plain = layer("c")
    new = Squashed(image(BASE, shown, twice, plain), range(1, 2), range(2, 3), range(3, 4))
    assert not new.holds(BODY)
    assert new.paths == {"etc", "etc/app.key", "etc/passwd", "a", "b.key", "c"}
    assert new.layers[3] == plain


def test_a_repository_goes_as_a_whole() -> None:
    """Its history has what the files have."""
    tar = layer(
        "app/", "app/.git/", entry("app/.git/HEAD", b"ref: x"), "app/.git/objects/", "app/x"
    )
    new = Squashed(image(BASE, tar, layer("app/.git/index")), range(1, 3))
    assert new.removed == ["app/.git"]
    assert new.paths == {"etc", "etc/app.key", "etc/passwd", "app", "app/x"}


def test_a_layer_above_that_goes_on_with_a_repository_is_an_error() -> None:
    """Its files would be in a folder without attributes."""
    tar = layer("app/", "app/.git/", entry("app/.git/HEAD", b"ref: x"))
    with pytest.raises(
        UsageError, match=r"`remove_secrets`: layer 4 has /app/\.git .*`layers` 2-4"
    ):
        Squashed(image(BASE, tar, layer("x"), layer("app/.git/index")), range(1, 3))


def test_a_layer_above_that_deletes_in_a_repository_is_an_error() -> None:
    """Overlay engines would make the folder anew for the whiteout."""
    tar = layer("app/", "app/.git/", entry("app/.git/HEAD", b"ref: x"), "app/.git/index")
    wanted = r"`remove_secrets`: layer 4 deletes something in /app/\.git, "
    with pytest.raises(UsageError, match=wanted):
        Squashed(image(BASE, tar, layer("x"), layer(whiteout("app/.git/index"))), range(1, 3))


def test_a_layer_above_that_links_to_a_secret_is_an_error() -> None:
    """Its link would lead nowhere."""
    tar = layer(entry("a.key", KEY))
    with pytest.raises(UsageError, match=r"^layer 4 has a hard link .*`remove_secrets`"):
        Squashed(image(BASE, tar, layer("x"), layer(link("plain", "a.key"))), range(1, 3))


def test_the_way_out_keeps_what_is_squashed_already() -> None:
    """A secret above the range: squashing its layer alone would leave out the range."""
    found = FoundSecret(b"top.key", "private key", 9)
    told = Recorder()
    tell_edited(Edited(kept_secrets=(found,)), [range(3, 5)], told)
    assert told.notes[-1] == "`remove_secrets`: to remove them, too, squash `base` 3"


def test_a_secret_in_an_ordinary_file_is_gone() -> None:
    """Shown, deleted, or in a layer that is kept: there it is told."""
    token = base62_token("ghp_").encode()
    text = b"user = me\nkey = " + token
    dead = layer(entry("d/notes.txt", text), entry("d/plain.txt", HARMLESS))
    live = layer(whiteout("d/notes.txt"), entry("run.sh", text + b"\n"))
    new = Squashed(image(BASE, dead, live), range(1, 3))
    assert new.paths == {"etc", "etc/app.key", "etc/passwd", "d", "d/plain.txt"}
    assert not new.holds(token)
    assert new.removed == ["run.sh"]
    assert Squashed(image(dead, live, layer("x")), range(1, 3)).kept == [(1, "d/notes.txt")]


def test_every_kind_is_gone() -> None:
    """Each planted live and dead; no layer has any of the values after it."""
    files = {f"srv/{n:03}.txt": text.encode() for n, (_, text) in enumerate(EXAMPLES)}
    dead = layer(*(entry(f"old/{path}", body) for path, body in files.items()))
    live = layer(whiteout("old"), *(entry(path, body) for path, body in files.items()), "kept")
    new = Squashed(image(BASE, dead, live), range(1, 3))
    assert set(new.removed) == files.keys()
    assert new.paths == {"etc", "etc/app.key", "etc/passwd", "srv", "kept"}
    assert not any(map(new.holds, files.values()))

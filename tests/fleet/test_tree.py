"""Images as a tree of layers, and the bytes that they share."""

from __future__ import annotations

from lamella.fleet.tree import Catalogue, FleetImage
from lamella.spec.digest import Digest, chain_ids


def _image(name: str, layers: str, *dead: int) -> FleetImage:
    """An image of layers called by letters; a has 1 byte, b has 2, c has 4 and so on."""
    sizes = tuple(1 << ord(letter) - ord("a") for letter in layers)
    diff_ids = tuple(Digest.of(letter.encode()) for letter in layers)
    return FleetImage(name, diff_ids, sizes, dead, tuple(layers))


def test_images_share_the_beginning_of_their_paths() -> None:
    """A layer on other layers is another node, and its number is above theirs."""
    catalogue = Catalogue.of([_image("1", "abc"), _image("2", "abd"), _image("3", "bc")])
    assert [(node.step, node.parent, node.depth) for node in catalogue.nodes] == [
        ("a", -1, 0),
        ("b", 0, 1),
        ("c", 1, 2),
        ("d", 1, 2),
        ("b", -1, 0),
        ("c", 4, 1),
    ]
    assert catalogue.nodes[1].kids == (2, 3)
    assert catalogue.ends == (2, 3, 5)
    assert catalogue.path(3) == [0, 1, 3]
    diff_ids = catalogue.images[1].diff_ids
    assert [catalogue.nodes[n].chain_id for n in catalogue.path(3)] == chain_ids(diff_ids)


def test_bytes_are_unique_or_shared() -> None:
    """By digest, for so they are stored, wherever in the tree they are."""
    catalogue = Catalogue.of([_image("1", "abc"), _image("2", "abd"), _image("3", "bc")])
    assert (catalogue.unique, catalogue.shared) == (8, 1 + 2 + 4)
    assert catalogue.total == 7 + 11 + 6


def test_a_layer_twice_in_one_image_is_not_shared() -> None:
    """It is stored once all the same."""
    catalogue = Catalogue.of([_image("1", "aba")])
    assert (catalogue.unique, catalogue.shared, catalogue.total) == (3, 0, 4)


def test_several_names_of_one_image_are_one_image() -> None:
    """Its layers are shared with nobody."""
    catalogue = Catalogue.of([_image("1", "ab"), _image("2", "ab"), _image("3", "a")])
    assert [node.images for node in catalogue.nodes] == [2, 1]
    assert catalogue.nodes[1].ends == (0, 1)
    assert (catalogue.unique, catalogue.shared) == (2, 1)


def test_dead_is_what_is_dead_in_each_image() -> None:
    """Of a shared layer, as much as in the image that has least of it."""
    images = [_image("1", "cd", 3, 0), _image("2", "ce", 1, 5), _image("3", "f", 7)]
    catalogue = Catalogue.of(images)
    assert [node.dead for node in catalogue.nodes] == [1, 0, 5, 7]
    assert catalogue.dead == 1 + 5 + 7

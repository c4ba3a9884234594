"""Files that should not be in a layer: keys and credentials, by name and a look at the beginning.

A file must have the name of something secret, and (where that can be told) content that holds one:
an empty ``.netrc``, an ``.npmrc`` that only names a registry, a certificate in a ``.pem`` are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lamella.analysis.secrets.contents import EXAMPLES
from lamella.analysis.secrets.tokens import PRIVATE_KEY
from lamella.layer.protocols import LayerTar
from lamella.tar.entry import REGULAR, SPARSE, Member

__all__ = ["REPOSITORY", "named_secrets"]

_BEGINNING = 4096
_LARGEST_KEY = 64 << 10

_PRIVATE_KEY = rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|^PuTTY-User-Key-File-"
# A value that isn't filled in when the image runs: `${TOKEN}`, `<token>`.
_VALUE = rb"""[ \t]*[:=][ \t]*["']?(?![$<{%])[^\s"'#;]"""
_WITH_PASSWORD = rb"://[^/\s:@]+:(?![$<{%])[^/\s@]+@"


class _SecretKind(NamedTuple):
    """What a file of such a name is, if its content agrees."""

    what: str
    content: bytes = b""
    """A pattern that is found in it; empty: the name says enough."""
    folder: bytes = b""
    """What its directory ends with."""


_KEY, _CLOUD, _REGISTRY = PRIVATE_KEY, "cloud credentials", "registry credentials"
_CLUSTER, _TOKEN, _PASSWORD = "Kubernetes credentials", "package manager token", "password"
_GIT, _STATE, _STORE = "Git credentials", "Terraform state", "key store"
_ENVIRONMENT, REPOSITORY = "environment file", "Git repository"

_GOOGLE = rb'"(?:private_key|refresh_token|client_secret)"\s*:\s*"[^"]'
_DOCKER = rb'"(?:auth|password|identitytoken)"\s*:\s*"[^"]'
_KUBE = rb"\b(?:client-key-data|token|password|client-secret)" + _VALUE
_NPM = rb"(?:_authToken|_auth|_password|npmAuthToken)" + _VALUE
_SETTING = rb"^\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*" + _VALUE
_ASSIGNED = rb"(?i)(?:password|secret|token|access_key|api_?key)\w*" + _VALUE

_BY_NAME: Mapping[bytes, Sequence[_SecretKind]] = {
    **{
        b"id_" + name: [_SecretKind(_KEY)]
        for name in (b"rsa", b"dsa", b"ecdsa", b"ed25519", b"ecdsa_sk", b"ed25519_sk")
    },
    b"secring.gpg": [_SecretKind(_KEY)],
    b".env": [_SecretKind(_ENVIRONMENT, _SETTING)],
    b"credentials": [
        _SecretKind(_CLOUD, rb"(?i)aws_(?:secret_access_key|session_token)" + _VALUE, b".aws"),
        _SecretKind(_TOKEN, rb"^\s*token" + _VALUE, b".cargo"),
        _SecretKind(_TOKEN, rb"^:\w+:\s*\S", b".gem"),
    ],
    b"credentials.toml": [_SecretKind(_TOKEN, rb"^\s*token" + _VALUE, b".cargo")],
    b"config": [
        _SecretKind(_CLOUD, rb"(?i)aws_(?:secret_access_key|session_token)" + _VALUE, b".aws"),
        _SecretKind(_CLUSTER, _KUBE, b".kube"),
        _SecretKind(_GIT, _WITH_PASSWORD, b".git"),
    ],
    b"kubeconfig": [_SecretKind(_CLUSTER, _KUBE)],
    b"admin.conf": [_SecretKind(_CLUSTER, _KUBE, b"kubernetes")],
    b"config.json": [_SecretKind(_REGISTRY, _DOCKER, b".docker")],
    b"auth.json": [
        _SecretKind(_REGISTRY, _DOCKER, b"containers"),
        _SecretKind(_TOKEN, rb'"(?:password|[\w.-]+\.[a-z]+)"\s*:\s*"[^"]', b"composer"),
    ],
    b".dockercfg": [_SecretKind(_REGISTRY, _DOCKER)],
    b".dockerconfigjson": [_SecretKind(_REGISTRY, _DOCKER)],
    b".netrc": [_SecretKind(_PASSWORD, rb"\bpassword\s+\S")],
    b"_netrc": [_SecretKind(_PASSWORD, rb"\bpassword\s+\S")],
    b".pgpass": [_SecretKind(_PASSWORD, rb"^[^#\n]*(?::[^:\n]*){3}:[^\n]")],
    b".my.cnf": [_SecretKind(_PASSWORD, rb"^\s*password" + _VALUE)],
    b"auth.conf": [_SecretKind(_PASSWORD, rb"^[^#\n]*\bpassword\s+\S", b"etc/apt")],
    b".npmrc": [_SecretKind(_TOKEN, _NPM)],
    b".yarnrc": [_SecretKind(_TOKEN, _NPM)],
    b".yarnrc.yml": [_SecretKind(_TOKEN, _NPM)],
    b".pypirc": [_SecretKind(_TOKEN, rb"^\s*password" + _VALUE)],
    b"pip.conf": [_SecretKind(_TOKEN, _WITH_PASSWORD)],
    b"settings.xml": [_SecretKind(_TOKEN, rb"<password>(?![$<{])[^<]", b".m2")],
    b".terraformrc": [_SecretKind(_TOKEN, rb"\btoken" + _VALUE)],
    b"credentials.tfrc.json": [_SecretKind(_TOKEN, rb'"token"\s*:\s*"[^"]')],
    b".vault-token": [_SecretKind(_TOKEN)],
    b".git-credentials": [_SecretKind(_GIT, _WITH_PASSWORD)],
    b"hosts.yml": [_SecretKind(_GIT, rb"\boauth_token" + _VALUE, b".config/gh")],
    b"hub": [_SecretKind(_GIT, rb"\boauth_token" + _VALUE, b".config")],
    b"HEAD": [_SecretKind(REPOSITORY, folder=b".git")],
    b"application_default_credentials.json": [_SecretKind(_CLOUD, _GOOGLE)],
    b"credentials.db": [_SecretKind(_CLOUD, folder=b"gcloud")],
    b"accessTokens.json": [_SecretKind(_CLOUD, folder=b".azure")],
    b"msal_token_cache.json": [_SecretKind(_CLOUD, folder=b".azure")],
    b".s3cfg": [_SecretKind(_CLOUD, rb"^\s*secret_key" + _VALUE)],
    b".boto": [_SecretKind(_CLOUD, rb"(?i)(?:secret_access_key|refresh_token)" + _VALUE)],
    b"terraform.tfstate": [_SecretKind(_STATE)],
    b"terraform.tfstate.backup": [_SecretKind(_STATE)],
    b"terraform.tfvars": [_SecretKind(_STATE, _ASSIGNED)],
}
_KEY_ENDS = (b".pem", b".key", b"_key", b"-key", b".ppk", b"_rsa", b"_ed25519", b"_ecdsa", b".asc")
_STORE_ENDS = (b".p12", b".pfx", b".jks", b".keystore", b".kdbx")
_JSON = b".json"
_END = 4
_LAST = {end[-_END:] for end in (*_KEY_ENDS, *_STORE_ENDS, _JSON)}
"""Their last bytes: to look them up is quicker than to hold each name against all of them."""
_SSH = b".ssh"
_PRIVATE = _SecretKind(_KEY, _PRIVATE_KEY)
_STORED = _SecretKind(
    _STORE, rb"\A(?:\x30[\x80-\x84]|\xfe\xed\xfe\xed|\xce\xce\xce\xce|\x03\xd9\xa2\x9a)"
)
_ACCOUNT = _SecretKind(_CLOUD, _GOOGLE)
_ACCOUNT_NAME = re.compile(rb"(?i)credential|service[-_]?account|gcp|gcloud")
_DOT_ENV = re.compile(rb"\.env\.(?!example$|sample$|template$|dist$|test$)\w+")
_DOT_ENV_KIND = _SecretKind(_ENVIRONMENT, _SETTING)


def named_secrets(entries: Iterable[Member], tar: LayerTar) -> Iterator[tuple[Member, str]]:
    """Yield which of a layer's files have the name of a secret, and what they look like.

    Of a repository that is `REPOSITORY`, and the file is one that lies in its folder.

    Args:
        entries: of one layer.
        tar: the layer; the beginnings of files with suspicious names are read.

    Raises:
        LamellaError: content can't be read.
    """
    last, in_ssh = b"", False
    for member in entries:
        folder, name, kind, _, _, _, size, flags, _ = member  # at once, for there are many
        if folder is not last:
            last, in_ssh = folder, folder.endswith(_SSH)
        if (name[-_END:] in _LAST or in_ssh or name in _BY_NAME or name[:5] == b".env.") and (
            kind == REGULAR and size and not flags & SPARSE
        ):
            for found in _kinds_of(member):
                if not found.content or _has(found, member, tar):
                    yield member, found.what
                    break


def _kinds_of(member: Member) -> Iterator[_SecretKind]:
    """What a file may be by its name and place."""
    folder, name = member.folder, member.name
    for kind in _BY_NAME.get(name, ()):
        if not kind.folder or folder == kind.folder or folder.endswith(b"/" + kind.folder):
            yield kind
    if _DOT_ENV.fullmatch(name):
        yield _DOT_ENV_KIND
    if EXAMPLES.search(folder):
        return
    if name.endswith(_JSON) and _ACCOUNT_NAME.search(name):
        yield _ACCOUNT
    if name.endswith(_STORE_ENDS) and b"trust" not in name and b"cacerts" not in name:
        yield _STORED
    key_like = name.endswith(_KEY_ENDS) or folder.endswith(_SSH)
    if key_like and member.size < _LARGEST_KEY:
        yield _PRIVATE


def _has(kind: _SecretKind, member: Member, tar: LayerTar) -> bool:
    most = _LARGEST_KEY if kind is _PRIVATE else _BEGINNING
    beginning = tar.read_at(member.data, min(member.size, most))
    return re.search(kind.content, beginning, re.MULTILINE) is not None

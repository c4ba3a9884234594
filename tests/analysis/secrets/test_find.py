"""Secrets are found, live and dead, and nothing else is taken for one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lamella.analysis.secrets.find import SecretSearch
from lamella.layer.blob import FileRange
from lamella.merge.changeset import read_changeset
from tests.analysis.looking import analyze
from tests.engines.daemon import EngineUnavailableError, find_chroot
from tests.support.tars import entry, folder, layer, symlink, whiteout

# In two parts, so that no scanner takes this file for a secret.
BEGIN = b"-----BEGIN "
KEY = BEGIN + b"RSA PRIVATE KEY-----\nMIIE\n"
CERTIFICATE = BEGIN + b"CERTIFICATE-----\nMIID\n"

PLANTED = {
    "root/.ssh/id_rsa": (b"anything", "private key"),
    "id_ed25519": (BEGIN + b"OPENSSH PRIVATE KEY-----\n", "private key"),
    "home/u/.ssh/deploy": (KEY, "private key"),
    "etc/ssl/server.pem": (CERTIFICATE * 300 + KEY, "private key"),
    "app/tls.key": (BEGIN + b"EC PRIVATE KEY-----\n", "private key"),
    "app/encrypted.key": (BEGIN + b"ENCRYPTED PRIVATE KEY-----\n", "private key"),
    "etc/ssh/ssh_host_rsa_key": (BEGIN + b"OPENSSH PRIVATE KEY-----\n", "private key"),
    "backup.asc": (BEGIN + b"PGP PRIVATE KEY BLOCK-----\n", "private key"),
    "putty.ppk": (b"PuTTY-User-Key-File-3: ssh-rsa\n", "private key"),
    "app/.env": (b"# settings\nexport DB_PASSWORD='hunter2'\n", "environment file"),
    "app/.env.production": (b"TOKEN=abc\n", "environment file"),
    "root/.aws/credentials": (b"[default]\naws_secret_access_key = abc\n", "cloud credentials"),
    "root/.aws/config": (b"[profile x]\naws_session_token=abc\n", "cloud credentials"),
    "root/.config/gcloud/application_default_credentials.json": (
        b'{"client_id": "x", "refresh_token": "abc"}',
        "cloud credentials",
    ),
    "srv/my-service-account.json": (
        b'{"type": "service_account", "private_key": "-----"}',
        "cloud credentials",
    ),
    "root/.config/gcloud/credentials.db": (b"SQLite format 3", "cloud credentials"),
    "root/.azure/msal_token_cache.json": (b"{}", "cloud credentials"),
    "root/.boto": (b"[Credentials]\ngs_oauth2_refresh_token = 1/x\n", "cloud credentials"),
    "root/.s3cfg": (b"secret_key = abc\n", "cloud credentials"),
    "root/.docker/config.json": (
        b'{"auths": {"reg.example": {"auth": "dTpw"}}}',
        "registry credentials",
    ),
    ".dockercfg": (b'{"reg.example": {"auth": "dTpw"}}', "registry credentials"),
    "run/containers/auth.json": (b'{"auths":{"r":{"auth":"dTpw"}}}', "registry credentials"),
    "root/.kube/config": (b"users:\n- user:\n    token: abc\n", "Kubernetes credentials"),
    "etc/kubernetes/admin.conf": (b"    client-key-data: LS0t\n", "Kubernetes credentials"),
    "root/.netrc": (b"machine a login b password c\n", "password"),
    "root/.pgpass": (b"db:5432:*:app:hunter2\n", "password"),
    "root/.my.cnf": (b"[client]\npassword = x\n", "password"),
    "etc/apt/auth.conf": (b"machine a login b password c\n", "password"),
    "app/.npmrc": (b"//registry.example/:_authToken=npm_abc\n", "package manager token"),
    "app/.yarnrc.yml": (b'npmAuthToken: "abc"\n', "package manager token"),
    "root/.pypirc": (b"[pypi]\nusername = a\npassword = b\n", "package manager token"),
    "etc/pip.conf": (b"index-url = https://me:word@index.example/\n", "package manager token"),
    "root/.cargo/credentials.toml": (b'[registry]\ntoken = "abc"\n', "package manager token"),
    "root/.gem/credentials": (b":rubygems_api_key: abc\n", "package manager token"),
    "root/.m2/settings.xml": (b"<password>abc</password>", "package manager token"),
    "root/.composer/auth.json": (b'{"github-oauth": {"github.com": "abc"}}', None),
    "root/.config/composer/auth.json": (
        b'{"github-oauth": {"github.com": "abc"}}',
        "package manager token",
    ),
    "root/.vault-token": (b"hvs.abc", "package manager token"),
    "root/.git-credentials": (b"https://me:abc@git.example\n", "Git credentials"),
    "root/.config/gh/hosts.yml": (b"github.com:\n  oauth_token: gho_abc\n", "Git credentials"),
    "app/.git/config": (b'[remote "o"]\n\turl = https://me:abc@git.example/a\n', "Git credentials"),
    "app/.git/HEAD": (b"ref: refs/heads/main\n", "Git repository"),
    "app/terraform.tfstate": (b"{}", "Terraform state"),
    "app/terraform.tfvars": (b'db_password = "abc"\n', "Terraform state"),
    "app/client.p12": (b"\x30\x82\x0a\x00", "key store"),
    "app/client.pfx": (b"\x30\x82\x0a\x00", "key store"),
    "app/server.jks": (b"\xfe\xed\xfe\xed", "key store"),
}
HARMLESS = {
    "etc/ssl/certs/ssl-cert-snakeoil.pem": CERTIFICATE,
    "etc/ssl/certs/ca.pem": CERTIFICATE,
    "root/.ssh/id_rsa.pub": b"ssh-rsa AAAA",
    "root/.ssh/known_hosts": b"git.example ssh-rsa AAAA",
    "root/.ssh/authorized_keys": b"ssh-rsa AAAA",
    "usr/lib/python3/test/certdata/keycert.pem": KEY,
    "app/node_modules/tls/test/fixtures/server.key": KEY,
    "usr/share/keyrings/archive.asc": BEGIN + b"PGP PUBLIC KEY BLOCK-----\n",
    "app/i18n.key": b"greeting=hello\n",
    "app/large.pem": KEY + b" " * (1 << 16),
    "app/.env.example": b"TOKEN=abc\n",
    "app/.env": b"# nothing\nTOKEN=\nEMPTY=${TOKEN}\n",
    "app/.npmrc": b"registry=https://registry.example/\n//r/:_authToken=${NPM_TOKEN}\n",
    "root/.npmrc": b"",
    "root/.docker/config.json": b'{"auths": {"reg.example": {}}, "credsStore": "pass"}',
    "app/config.json": b'{"auth": "basic"}',
    "root/.kube/config": b"clusters: []\nusers: []\n",
    "root/.netrc": b"machine a login anonymous\n",
    "root/.aws/config": b"[default]\nregion = eu-west-1\n",
    "root/.gitconfig": b"[user]\n\tname = me\n",
    "app/.git/config": b"[core]\n\tbare = false\n",
    "app/HEAD": b"ref: refs/heads/main\n",
    "etc/pip.conf": b"[global]\nindex-url = https://index.example/simple\n",
    "etc/apt/auth.conf": b"# machine a login b password c\n",
    "etc/ssl/java/cacerts.jks": b"\xfe\xed\xfe\xed",
    "app/truststore.jks": b"\xfe\xed\xfe\xed",
    "app/schema.keystore": b"not one",
    "app/credentials.json": b'{"user": "me"}',
    "app/credentials": b"aws_secret_access_key = abc\n",
    "etc/config": b"token: abc\n",
}


def found_in(*tars: bytes) -> list[tuple[str, str, int | None, int | None]]:
    """Path, kind, layer and who removed it, of each secret."""
    return [
        (secret.path.decode(), secret.kind, secret.layer, secret.removed_by)
        for secret in analyze(*tars).secrets or ()
    ]


@pytest.mark.parametrize("path", [path for path, (_, kind) in PLANTED.items() if kind])
def test_planted_secret_is_found(path: str) -> None:
    """Live, and dead in a lower layer, where it still ships."""
    content, kind = PLANTED[path]
    told = path.removesuffix("/HEAD")
    planted = layer((path, content), ("app/other", b"x"))
    assert found_in(planted) == [(told, kind, 1, None)]
    assert found_in(layer("a"), planted, layer(whiteout(path))) == [(told, kind, 2, 3)]


@pytest.mark.parametrize("path", HARMLESS)
def test_harmless_file_is_no_secret(path: str) -> None:
    """What has only the name of one, or only the content."""
    assert found_in(layer((path, HARMLESS[path]))) == []


def test_all_of_them_at_once() -> None:
    """Each once, in the order of the layers and of the entries."""
    files = [(path, content) for path, (content, kind) in PLANTED.items() if kind]
    found = found_in(layer(*files), layer(*HARMLESS.items()))
    assert len(found) == len(files)
    assert {layer for _, _, layer, _ in found} == {1}


def test_names_alone_are_no_secret() -> None:
    """A directory, a link, an empty file."""
    tar = layer(folder("id_rsa"), symlink("a/id_rsa", "/run/secrets/key"), ("b/id_rsa", b""))
    assert found_in(tar) == []


def test_secret_that_is_replaced() -> None:
    """The old content still ships; the new one is a secret of its own."""
    env = "app/.env"
    found = found_in(layer((env, b"A=1\n")), layer((env, b"A=23\n")), layer((env, b"#\n")))
    assert found == [
        (env, "environment file", 1, 2),
        (env, "environment file", 2, 3),
    ]


def test_secret_in_a_directory_that_is_removed() -> None:
    """By the layer that took the directory away."""
    base = layer(folder("root"), folder("root/.ssh"), ("root/.ssh/id_rsa", b"key"))
    assert found_in(base, layer(whiteout("root"))) == [("root/.ssh/id_rsa", "private key", 1, 2)]


def test_key_store_by_its_first_bytes_alone() -> None:
    """Wherever such bytes come later, it is none."""
    assert found_in(layer(entry("a.p12", b"text\n\x30\x82"))) == []


@pytest.mark.engine
def test_plain_debian_has_no_secrets(tmp_path: Path) -> None:
    """Nor have the engines that are installed in the tests' own. Large programs are left out."""
    try:
        root = find_chroot()
    except EngineUnavailableError as missing:
        pytest.skip(str(missing))
    target = tmp_path / "debian.tar"
    names = subprocess.run(
        ["find", ".", "-xdev", "-size", "-200k", "-print0"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout
    command = ["tar", "-C", str(root), "--no-recursion", "--null", "-T", "-", "-cf", str(target)]
    subprocess.run(command, input=names, check=True, capture_output=True)
    with target.open("rb") as file:
        source = FileRange.whole(file)
        changeset = read_changeset(source, 0)
        assert len(changeset.entries) > 5000
        with SecretSearch({0: changeset}, {0: source}) as search:
            assert list(search.found({})) == []

# ruff: noqa: E501 - commands are on lines of their own, as they are in a history
"""Configs of the kind that popular images have, made up: none of them has a secret.

Of each: variables, labels, history. The kinds of lines are those of official images: keys that
packages are signed with, checksums, files that passwords are read from, default users.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CONFIGS", "Popular"]

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HASH = "9c2b0e4d7f51a683de07c4b98fa1365207be4d19c86af3520d1e74b6a9853f0c"
_FINGERPRINT = "A035C8C19219BA821ECEA86B64E628F8D684696D"


class Popular(NamedTuple):
    """What such an image says."""

    env: list[str]
    history: list[str]
    labels: dict[str, str] = {}  # noqa: RUF012 - is not changed


CONFIGS = {
    "python": Popular(
        [
            _PATH,
            "LANG=C.UTF-8",
            f"GPG_KEY={_FINGERPRINT}",
            "PYTHON_VERSION=3.12.4",
            f"PYTHON_SHA256={_HASH}",
            "PYTHON_GET_PIP_URL=https://code.example/pypa/raw/get-pip.py",
        ],
        [
            f"ENV GPG_KEY={_FINGERPRINT}",
            (
                'RUN /bin/sh -c set -eux; wget -O python.tar.xz.asc "$URL.asc"; GNUPGHOME="$(mktemp -d)"; '
                'export GNUPGHOME; gpg --batch --keyserver hkps://keys.example --recv-keys "$GPG_KEY"; '
                f'echo "{_HASH} *python.tar.xz" | sha256sum -c - # buildkit'
            ),
        ],
    ),
    "node": Popular(
        [_PATH, "NODE_VERSION=22.3.0", "YARN_VERSION=1.22.22"],
        [
            (
                "/bin/sh -c ARCH= && for key in 4ED778F539E3634C779C87C6D7062848A1AB005C "
                "141F07595B7B3FFE74309A937405533BE57C7D57; do gpg --batch --keyserver "
                'hkps://keys.example --recv-keys "$key"; done && grep " node-v$NODE_VERSION.tar.xz\\$" '
                "SHASUMS256.txt | sha256sum -c -"
            )
        ],
    ),
    "postgres": Popular(
        [
            _PATH,
            "PG_MAJOR=16",
            "PG_VERSION=16.3-1.pgdg120+1",
            "PGDATA=/var/lib/postgresql/data",
            "POSTGRES_PASSWORD_FILE=/run/secrets/postgres",
            "POSTGRES_USER=postgres",
            "POSTGRES_HOST_AUTH_METHOD=scram-sha-256",
        ],
        [
            (
                "RUN /bin/sh -c set -ex; key='B97B0AFCAA1A47F044F244A07FCC7D46ACCC4CF8'; gpg --recv-keys "
                '"$key"; echo "deb [ signed-by=/usr/local/share/keyrings/postgres.gpg.asc ] '
                'http://apt.example/pub bookworm-pgdg main $PG_MAJOR" # buildkit'
            )
        ],
    ),
    "nginx": Popular(
        [_PATH, "NGINX_VERSION=1.27.0", "NJS_VERSION=0.8.4", "PKG_RELEASE=2~bookworm"],
        [
            (
                'RUN /bin/sh -c NGINX_GPGKEYS="573BFD6B3D8FBC641079A6ABABF5BD827BD9BF62 '
                '8540A6F18833A80E9C1653A42FD21310B49F6B46"; NGINX_GPGKEY_PATH=/usr/share/keyrings/a.gpg; '
                'for NGINX_GPGKEY in $NGINX_GPGKEYS; do gpg1 --recv-keys "$NGINX_GPGKEY"; done'
            )
        ],
        {"maintainer": "Maintainers <docker-maint@nginx.example>"},
    ),
    "golang": Popular(
        [_PATH, "GOLANG_VERSION=1.22.4", "GOTOOLCHAIN=local", "GOPATH=/go"],
        [f"RUN /bin/sh -c sha256='{_HASH}'; echo \"$sha256 *go.tgz\" | sha256sum -c -"],
    ),
    "openjdk": Popular(
        [_PATH, "JAVA_HOME=/opt/java/openjdk", "JAVA_VERSION=jdk-21.0.3+9"],
        [
            "RUN /bin/sh -c keytool -importcert -noprompt -cacerts -storepass changeit -file a.crt",
            "|1 ESUM=" + _HASH + " /bin/sh -c curl -LfsSo /tmp/openjdk.tar.gz ${BINARY_URL}",
        ],
    ),
    "mysql": Popular(
        [
            _PATH,
            "GOSU_VERSION=1.17",
            "MYSQL_MAJOR=8.4",
            "MYSQL_ALLOW_EMPTY_PASSWORD=yes",
            "MYSQL_RANDOM_ROOT_PASSWORD=1",
            "MYSQL_ROOT_PASSWORD=",
            "MYSQL_ROOT_PASSWORD_FILE=/run/a",
        ],
        [
            (
                "RUN /bin/sh -c set -eux; { echo mysql-server mysql/root-pass password ''; echo "
                "mysql-server mysql/re-root-pass password ''; } | debconf-set-selections"
            )
        ],
    ),
    "redis": Popular(
        [
            _PATH,
            "REDIS_VERSION=7.2.5",
            f"REDIS_DOWNLOAD_SHA={_HASH}",
            "REDIS_PASSWORD=",
            "ALLOW_EMPTY_PASSWORD=no",
            "REDIS_TLS_KEY_FILE=/tls/redis.key",
        ],
        ["RUN /bin/sh -c grep '^ *createBool[(]\"protected-mode\",.*[)],$' config.c"],
    ),
    "wordpress": Popular(
        [
            _PATH,
            f"PHP_SHA256={_HASH}",
            "PHP_VERSION=8.2.20",
            "WORDPRESS_DB_PASSWORD=example password",
            "WORDPRESS_DB_USER=example username",
        ],
        [
            (
                "RUN /bin/sh -c define('AUTH_KEY', getenv_docker('WORDPRESS_AUTH_KEY', 'put your unique "
                "phrase here') );"
            )
        ],
    ),
    "gitlab": Popular(
        [
            _PATH,
            "GITLAB_SKIP_TAIL_LOGS=true",
            "TERM=xterm",
            "GITLAB_ROOT_PASSWORD_FILE=/run/p",
            "CI_JOB_TOKEN_SCOPE_ENABLED=true",
            "GITLAB_SHARED_RUNNERS_REGISTRATION_TOKEN=${TOKEN}",
        ],
        ["RUN /bin/sh -c apt-get install -yq gitlab && rm -rf /opt/gitlab/etc/gitlab-secrets.json"],
    ),
    "jenkins": Popular(
        [
            _PATH,
            "JENKINS_HOME=/var/jenkins_home",
            "REF=/usr/share/jenkins/ref",
            "JENKINS_INCREMENTALS_REPO_MIRROR=https://repo.jenkins.example/incrementals",
        ],
        [
            (
                f"|9 COMMIT_SHA=a3f7c1 JENKINS_SHA={_HASH} JENKINS_VERSION=2.452 port=50000 "
                "gid=1000 group=jenkins http_port=8080 uid=1000 user=jenkins /bin/sh -c groupadd ${gid}"
            )
        ],
    ),
    "grafana": Popular(
        [
            _PATH,
            "GF_PATHS_CONFIG=/etc/grafana/grafana.ini",
            "GF_SECURITY_ADMIN_PASSWORD=admin",
            "GF_SECURITY_ADMIN_PASSWORD__FILE=/run/secrets/admin",
            "GF_AUTH_DISABLE_LOGIN_FORM=false",
        ],
        ["RUN |2 GF_UID=472 GF_GID=0 /bin/sh -c addgroup -S -g $GF_GID grafana"],
    ),
    "keycloak": Popular(
        [
            _PATH,
            "KC_RUN_IN_CONTAINER=true",
            "KEYCLOAK_ADMIN=admin",
            "KEYCLOAK_ADMIN_PASSWORD=admin",
            "KC_HTTPS_KEY_STORE_PASSWORD=${env.PASS}",
            "KC_DB_PASSWORD=change_me",
            "KEYCLOAK_ACCESS_TOKEN_LIFESPAN=300",
            "KC_SPI_TOKEN_ISSUER=https://sso.example/auth",
        ],
        ["RUN /bin/sh -c keytool -genkeypair -storepass password -alias server"],
    ),
    "cuda": Popular(
        [
            _PATH,
            "NVARCH=x86_64",
            "NV_CUDA_CUDART_VERSION=12.5.39-1",
            "NVIDIA_REQUIRE_CUDA=cuda>=12.5 brand=unknown,driver>=470,driver<471",
        ],
        [
            "ENV NVIDIA_REQUIRE_CUDA=cuda>=12.5 brand=unknown,driver>=470,driver<471",
            "RUN |1 TARGETARCH=amd64 /bin/sh -c curl -fsSLO https://compute.example/cuda-keyring_1.1.deb",
        ],
        {"com.nvidia.cudnn.version": "9.1.0.70-1", "maintainer": "A <a@nvidia.example>"},
    ),
    "ruby": Popular(
        [
            _PATH,
            "GEM_HOME=/usr/local/bundle",
            f"RUBY_DOWNLOAD_SHA256={_HASH}",
            "SECRET_KEY_BASE_DUMMY=1",
            "SECRET_KEY_BASE=dummy",
        ],
        [
            "RUN /bin/sh -c SECRET_KEY_BASE_DUMMY=1 ./bin/rails assets:precompile",
            "RUN /bin/sh -c SECRET_KEY_BASE=placeholder bundle exec rake assets:precompile",
        ],
    ),
    "php": Popular(
        [
            _PATH,
            f"PHP_SHA256={_HASH}",
            "PHP_INI_DIR=/usr/local/etc/php",
            f"GPG_KEYS=39B641343D8C104B2B146DC3F9C39DC0B9698544 {_FINGERPRINT}",
        ],
        ["RUN /bin/sh -c docker-php-ext-configure --with-password-argon2 --with-sodium=shared"],
    ),
    "rust": Popular(
        [_PATH, "RUSTUP_HOME=/usr/local/rustup", "RUST_VERSION=1.79.0"],
        [
            (
                'RUN /bin/sh -c --mount=type=secret,id=cargo_token cargo publish --token "$(cat '
                '/run/secrets/cargo_token)"'
            ),
            f"RUN /bin/sh -c rustArch='x86_64'; rustupSha256='{_HASH}'; chmod +x rustup-init",
        ],
    ),
    "elasticsearch": Popular(
        [
            _PATH,
            "ELASTIC_CONTAINER=true",
            "ELASTIC_PASSWORD=changeme",
            "KEYSTORE_PASSWORD_FILE=/run/secrets/keystore",
            "SHELL=/bin/bash",
        ],
        ["RUN /bin/sh -c sed -i -e 's/ES_DISTRIBUTION_TYPE=tar/ES_DISTRIBUTION_TYPE=docker/' env"],
        {
            "org.label-schema.vcs-ref": "8d96bbe3bf5fed931f3119733895458eab75dca9",
            "org.opencontainers.image.licenses": "Elastic-License-2.0",
        },
    ),
    "rabbitmq": Popular(
        [
            _PATH,
            "RABBITMQ_VERSION=3.13.3",
            "RABBITMQ_DEFAULT_PASS=guest",
            f"RABBITMQ_PGP_KEY_ID=0x{_FINGERPRINT}",
            "RABBITMQ_ERLANG_COOKIE_FILE=/var/cookie",
            f"OPENSSL_SOURCE_SHA256={_HASH}",
        ],
        ["RUN /bin/sh -c sed -i '/^passwd:/ s/files/files systemd/' /etc/nsswitch.conf"],
    ),
    "traefik": Popular(
        [_PATH],
        [
            "LABEL org.opencontainers.image.url=https://traefik.example",
            'CMD ["traefik" "--providers.docker.password="]',
        ],
        {"org.opencontainers.image.vendor": "Traefik Labs", "traefik.http.basicauth": "$apr1$"},
    ),
    "vault": Popular(
        [
            _PATH,
            "VAULT_DEV_ROOT_TOKEN_ID=root",
            "VAULT_ADDR=https://127.0.0.1:8200",
            "VAULT_TOKEN=${VAULT_TOKEN:-}",
            "SKIP_SETCAP=1",
            "VAULT_TOKEN_TTL=768h",
        ],
        [
            "ARG NAME=vault",
            "ARG PRODUCT_REVISION=4a1b2c3",
            "ARG GITHUB_TOKEN",
            "RUN |3 NAME=vault GITHUB_TOKEN= PRODUCT_VERSION=1.17.0 /bin/sh -c apk add vault",
        ],
    ),
    "passenger": Popular(
        [
            _PATH,
            "PASSENGER_VERSION=6.0.22",
            "PASSENGER_APP_ENV=production",
            "COMPASS=north",
            "BYPASS=never",
            "TOKENIZERS_PARALLELISM=false",
            "TOKENIZER=cl100k_base",
            "PASSWORD_POLICY=strict",
            "SECRETS_PROVIDER=aws-secrets-manager",
            "ACCESS_TOKEN_URL=https://sso.example/token",
            "API_KEY_HEADER=X-Api-Key",
        ],
        ["WORKDIR /home/app", "ONBUILD COPY . /home/app", "RUN passwd -d app && passwd -l root"],
    ),
}

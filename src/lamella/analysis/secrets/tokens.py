"""The table of tokens and keys that are known by their form, wherever they are.

A new kind is a line in `TOKENS`, and a made-up example in ``tests/analysis/secrets/examples.py``.
The forms are those of the issuers' manuals. Test keys (``sk_test_…``) and what is meant to be
public (``pk_live_…``) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from lamella.analysis.secrets.checks import (
    has_age_checksum,
    has_base62_crc,
    is_account_key,
    is_discord_token,
    is_macaroon,
    is_password,
    is_random,
    is_web_token,
)

__all__ = ["PRIVATE_KEY", "TOKENS", "FoundToken", "TokenKind", "find_tokens", "hide_tokens"]

PRIVATE_KEY = "private key"
_MOST = 1000
"""Places of a text that are looked at for one kind: what was made to keep us busy has more."""
_PEM = b"-----BEGIN"
"""Begins something else than what is before it."""
_REACH = 120
"""Bytes that a token has at most before its anchor's end."""


class TokenKind(NamedTuple):
    """What the tokens of one issuer look like."""

    what: str
    """For people."""
    anchor: bytes
    """A part that each of them has, as a short pattern of literals and classes. All of these are
    looked for at once, with few bytes of a text looked at: see `anchors`."""
    pattern: bytes
    """All of it; if there is a group, that is the secret. Letters and digits around it make it
    something else, see `_compiled`."""
    check: Callable[[bytes], bool] = is_random
    """Whether the secret is one, by its checksum or structure."""
    beside: bytes = b""
    """A pattern that must be near: there is the secret, and the rest tells whose it is."""
    before: int = 0
    """Where that may be: so many bytes before, and after."""
    after: int = 0
    longest: int = 320
    """Bytes that a token has at most from its anchor on."""


class FoundToken(NamedTuple):
    """A token in a text."""

    kind: TokenKind
    start: int
    end: int


_64 = rb"[A-Za-z0-9_-]"
_62 = rb"[A-Za-z0-9]"
_HEX = rb"[0-9a-f]"
_THREE_DIGITS = rb"[MNO][DTjz][AEIMQUYcgk][w-z0-5]"
"""In base64: what a Discord token begins with."""
_AWS_SECRET = rb"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
# Lines of base64, which may end as in JSON; not the first word of what follows.
_KEY_BODY = (
    rb"[A-Za-z0-9+/]{40}[A-Za-z0-9+/=]*"
    rb"(?:(?:\s|\\[nr]){1,4}[A-Za-z0-9+/=]+(?![A-Za-z0-9+/=:-]))*"
)
# RFC 2606 keeps these names for examples.
_DOCUMENTATION = (
    rb"(?i:(?:[a-z0-9-]+\.)*(?:example|test|invalid)(?:\.(?:com|org|net))?(?![a-z0-9.-]))"
)
_NO_USER = rb"""\s:/@"'`<>\\"""
"""What a user's name and password in a URL don't have."""


def _kind(what: str, prefix: bytes, rest: bytes) -> TokenKind:
    """Return the kind of which a literal prefix is the anchor."""
    return TokenKind(what, re.escape(prefix), re.escape(prefix) + rest)


TOKENS: Sequence[TokenKind] = (
    # keys
    TokenKind(
        PRIVATE_KEY,
        rb"PRIVATE KEY",
        rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----",
        beside=_KEY_BODY,
        after=400,
    ),
    TokenKind(
        PRIVATE_KEY,
        rb"PuTTY-User-Key-File-",
        rb"PuTTY-User-Key-File-[23]:",
        beside=rb"Private-Lines: \d+\s+" + _KEY_BODY,
        after=4000,
    ),
    TokenKind(
        "age key",
        rb"AGE-SECRET-KEY-1",
        rb"AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}",
        has_age_checksum,
    ),
    # passwords
    TokenKind(
        "password in a URL",
        rb"://[^" + _NO_USER + rb"]{0,64}:[^" + _NO_USER + rb"]{3,64}@",
        rb"://[^"
        + _NO_USER
        + rb"]{0,64}:([^"
        + _NO_USER
        + rb"]{3,64})@(?!"
        + _DOCUMENTATION
        + rb")[A-Za-z0-9.\[-]",
        is_password,
    ),
    TokenKind(
        "password of a machine",
        rb"machine[ \t]\S{1,100}[ \t]login[ \t]",
        rb"machine[ \t]+\S{1,200}[ \t]+login[ \t]+\S{1,200}\s{1,20}password[ \t]+(\S{3,200})",
        is_password,
        longest=700,
    ),
    # clouds
    TokenKind(
        "AWS access key",
        rb"A[KS]IA",
        rb"A[KS]IA[A-Z2-7]{16}",
        beside=_AWS_SECRET,
        before=200,
        after=200,
    ),
    _kind("Google API key", b"AIza", _64 + rb"{35}"),
    _kind("Google client secret", b"GOCSPX-", _64 + rb"{28}"),
    _kind("Google access token", b"ya29.", _64 + rb"{40,1024}")._replace(longest=1100),
    TokenKind(
        "Azure storage key",
        rb"AccountKey=",
        rb"AccountKey=([A-Za-z0-9+/]{86}==)",
        is_account_key,
    ),
    TokenKind("Azure shared access key", rb"AccessKey=", rb"SharedAccessKey=([A-Za-z0-9+/]{43}=)"),
    TokenKind(
        "Azure client secret",
        rb"[0-9]Q~",
        rb"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
    ),
    TokenKind("Azure DevOps token", rb"AZDO", _62 + rb"{76}AZDO" + _62 + rb"{4}"),
    TokenKind("DigitalOcean token", rb"do[opr]_v1_", rb"do[opr]_v1_" + _HEX + rb"{64}"),
    _kind("Cloudflare origin key", b"v1.0-", _HEX + rb"{24}-" + _HEX + rb"{146}"),
    _kind("Heroku token", b"HRKU-", _64 + rb"{36,64}"),
    _kind("Fly.io token", b"fo1_", _64 + rb"{43}"),
    _kind("Netlify token", b"nfp_", _62 + rb"{36}"),
    _kind("Supabase token", b"sbp_", _HEX + rb"{40}"),
    TokenKind("PlanetScale token", rb"pscale_", rb"pscale_(?:tkn|pw|oauth)_[\w.-]{32,64}"),
    _kind("Databricks token", b"dapi", _HEX + rb"{32}(?:-\d)?"),
    # source code and builds
    TokenKind("GitHub token", rb"gh[pousr]_", rb"gh[pousr]_" + _62 + rb"{36}", has_base62_crc),
    _kind("GitHub token", b"github_pat_", _62 + rb"{22}_" + _62 + rb"{59}"),
    TokenKind(
        "GitLab token",
        rb"gl(?:pat|dt|rt|ptt|soat|cbt|imt|ffct|agent|oas)-",
        rb"gl(?:pat|dt|rt|ptt|soat|cbt|imt|ffct|agent|oas)-[\w.-]{20,300}",
    ),
    _kind("Atlassian token", b"ATATT3", rb"[A-Za-z0-9_=-]{100,300}"),
    TokenKind(
        "Bitbucket token",
        rb"AT(?:BB|CTT3)[A-Za-z0-9_=-]{8}",
        rb"AT(?:BB|CTT3)[A-Za-z0-9_=-]{28,300}",
    ),
    _kind("CircleCI token", b"CCIPAT_", _62 + rb"{22}_" + _HEX + rb"{40}"),
    _kind("Buildkite token", b"bkua_", _HEX + rb"{40}"),
    _kind("Pulumi token", b"pul-", _HEX + rb"{40}"),
    TokenKind(
        "Terraform Cloud token", rb"\.atlasv1\.", _62 + rb"{14}\.atlasv1\." + _64 + rb"{60,70}"
    ),
    TokenKind("SonarQube token", rb"sq[pua]_", rb"sq[pua]_" + _HEX + rb"{40}"),
    _kind("Sentry token", b"sntrys_", rb"[A-Za-z0-9+/=_]{50,500}")._replace(longest=600),
    _kind("Sentry token", b"sntryu_", _HEX + rb"{64}"),
    _kind("Postman key", b"PMAK-", _HEX + rb"{24}-" + _HEX + rb"{34}"),
    _kind("Figma token", b"figd_", _64 + rb"{40}"),
    # packages and images
    TokenKind("npm token", rb"npm_[A-Za-z0-9]{8}", rb"npm_" + _62 + rb"{36}", has_base62_crc),
    TokenKind(
        "PyPI token",
        rb"pypi-AgE",
        rb"pypi-AgE[A-Za-z0-9_-]{60,1000}",
        is_macaroon,
        longest=1100,
    ),
    _kind("RubyGems token", b"rubygems_", _HEX + rb"{48}"),
    TokenKind("crates.io token", rb"cio[A-Za-z0-9]{29}", rb"cio" + _62 + rb"{32}"),
    TokenKind("NuGet key", rb"oy2[a-z0-9]{40}", rb"oy2[a-z0-9]{43}"),
    TokenKind("Docker Hub token", rb"dckr_", rb"dckr_[po]at_" + _64 + rb"{27,32}"),
    _kind("Artifactory token", b"AKCp", _62 + rb"{69}"),
    # secrets and machines
    TokenKind("Vault token", rb"hv[sbr]\.", rb"hv[sbr]\." + _64 + rb"{24,300}"),
    TokenKind(
        "Doppler token",
        rb"dp\.(?:pt|st|sa|ct|scim|audit)\.",
        rb"dp\.(?:pt|st|sa|ct|scim|audit)\.[\w.-]{40,80}",
    ),
    _kind("1Password token", b"ops_eyJ", rb"[A-Za-z0-9_+/=-]{200,2000}")._replace(longest=2100),
    TokenKind(
        "Tailscale key", rb"tskey-", rb"tskey-[a-z]{3,9}-" + _62 + rb"{10,20}-" + _62 + rb"{20,40}"
    ),
    # watching
    _kind("Grafana token", b"glsa_", _62 + rb"{32}_[0-9A-Fa-f]{8}"),
    _kind("Grafana Cloud token", b"glc_eyJ", rb"[A-Za-z0-9+/=]{40,400}")._replace(longest=500),
    _kind("New Relic key", b"NRAK-", rb"[A-Z0-9]{27}"),
    _kind("Dynatrace token", b"dt0c01.", rb"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    # messages
    TokenKind(
        "Slack token", rb"xox[abeoprs]-", rb"xox[abeoprs]-(?:\d-)?\d{8,14}-[A-Za-z0-9-]{10,200}"
    ),
    _kind("Slack app token", b"xapp-", rb"\d-[A-Z0-9]{8,14}-\d{8,14}-" + _HEX + rb"{64}"),
    TokenKind(
        "Slack webhook",
        rb"hooks\.slack\.com",
        rb"hooks\.slack\.com/(?:services|workflows)/(T[A-Z0-9]{6,14}/[AB][A-Z0-9]{6,14}/\w{20,60})",
    ),
    TokenKind(
        "Discord token",
        _THREE_DIGITS * 2,
        rb"[MNO][DTjz][A-Za-z0-9]{22,26}\." + _64 + rb"{6}\." + _64 + rb"{27,38}",
        is_discord_token,
    ),
    TokenKind(
        "Discord webhook", rb"/api/webhooks/", rb"/api/webhooks/(\d{17,20}/" + _64 + rb"{60,80})"
    ),
    TokenKind("Telegram token", rb"[0-9]:AA", rb"\d{8,10}:AA" + _64 + rb"{33}"),
    TokenKind(
        "SendGrid key", rb"SG\.[A-Za-z0-9_-]{8}", rb"SG\." + _64 + rb"{22}\." + _64 + rb"{43}"
    ),
    TokenKind("Twilio key", rb"SK[0-9a-f]{8}", rb"SK" + _HEX + rb"{32}"),
    TokenKind("Mailgun key", rb"key-[0-9a-f]{8}", rb"key-" + _HEX + rb"{32}"),
    TokenKind("Mailchimp key", rb"[0-9a-f]{8}-us[0-9]", _HEX + rb"{32}-us\d{1,2}"),
    _kind("Brevo key", b"xkeysib-", _HEX + rb"{64}-" + _62 + rb"{16}"),
    # money
    TokenKind("Stripe key", rb"k_live_", rb"[rs]k_live_" + _62 + rb"{24,247}"),
    _kind("Stripe webhook secret", b"whsec_", rb"[A-Za-z0-9+/]{32,64}=?"),
    TokenKind("Shopify token", rb"shp[acps][ats]_", rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    TokenKind(
        "Square token", rb"sq0[a-z]{3}-", rb"sq0(?:atp-" + _64 + rb"{22}|csp-" + _64 + rb"{43})"
    ),
    _kind("EasyPost key", b"EZAK", _62 + rb"{54}"),
    _kind("Shippo token", b"shippo_live_", _HEX + rb"{40}"),
    # models
    TokenKind(
        "OpenAI key", rb"T3BlbkFJ", rb"sk-[A-Za-z0-9_-]{20,100}?T3BlbkFJ" + _64 + rb"{20,100}"
    ),
    TokenKind("Anthropic key", rb"sk-ant-", rb"sk-ant-[a-z]{3,9}\d\d-" + _64 + rb"{80,120}"),
    _kind("OpenRouter key", b"sk-or-v1-", _HEX + rb"{64}"),
    TokenKind("Hugging Face token", rb"hf_[A-Za-z]{20}", rb"hf_[A-Za-z]{34}"),
    _kind("Groq key", b"gsk_", _62 + rb"{52}"),
    TokenKind("Replicate token", rb"r8_[A-Za-z0-9]{20}", rb"r8_" + _62 + rb"{37}"),
    _kind("Perplexity key", b"pplx-", _62 + rb"{48}"),
    _kind("xAI key", b"xai-", _62 + rb"{80}"),
    # documents and tasks
    _kind("Linear key", b"lin_api_", _62 + rb"{40}"),
    TokenKind("Notion token", rb"secret_[A-Za-z0-9]{20}", rb"secret_" + _62 + rb"{43}"),
    TokenKind("Notion token", rb"ntn_[0-9]{11}", rb"ntn_\d{11}" + _62 + rb"{35}"),
    TokenKind(
        "Airtable token", rb"pat[A-Za-z0-9]{14}\.", rb"pat" + _62 + rb"{14}\." + _HEX + rb"{64}"
    ),
    _kind("Contentful token", b"CFPAT-", _64 + rb"{43}"),
    _kind("Typeform token", b"tfp_", rb"[\w.=-]{40,70}"),
    _kind("Prefect key", b"pnu_", _62 + rb"{36}"),
    _kind("Adafruit key", b"aio_", _62 + rb"{28}"),
    # of anybody
    TokenKind(
        "JSON web token",
        rb"eyJ[A-Za-z0-9_-]{14}",
        rb"eyJ[A-Za-z0-9_-]{14,2000}\.eyJ" + _64 + rb"{10,8000}\." + _64 + rb"{20,2000}",
        is_web_token,
        longest=13_000,
    ),
)


def find_tokens(text: bytes, hits: Iterable[tuple[int, int]] | None = None) -> Iterator[FoundToken]:
    """Yield what in a text is a token, kind by kind.

    Args:
        text: any bytes.
        hits: the anchors that were found in it: the number of the kind, and the offset of the end;
            None: they are still to be found.
    """
    ends: dict[int, list[int]] = {}
    for number, end in _places(text) if hits is None else hits:
        ends.setdefault(number, []).append(end)
    for number, places in ends.items():
        kind = TOKENS[number]
        for window in _windows(places, kind.longest):
            for found in islice(_compiled(kind.pattern).finditer(text, *window), _MOST):
                start, end = _secret_of(kind, found)
                if end and kind.check(text[start:end]):
                    yield FoundToken(kind, start, end)


def _windows(ends: list[int], longest: int) -> Iterator[tuple[int, int]]:
    """Yield where tokens may be that have anchors there; no byte is looked at twice for a kind."""
    start = stop = 0
    for end in sorted(ends):
        if end - _REACH > stop:
            if stop:
                yield start, stop
            start = end - _REACH
        stop = end + longest
    yield max(start, 0), stop


def _secret_of(kind: TokenKind, found: re.Match[bytes]) -> tuple[int, int]:
    """Return where the secret is in what matches; nowhere: it isn't one."""
    if not kind.beside:
        return found.span(found.lastindex or 0)
    beside, text = _plain(kind.beside), found.string
    near = beside.search(text, max(found.start() - kind.before, 0), found.end() + kind.after)
    whole = near and beside.match(text, near.start())  # it may end outside
    if not whole or not is_random(found[0]) or _PEM in text[found.end() : whole.start()]:
        return 0, 0
    return whole.span()


def _places(text: bytes) -> Iterator[tuple[int, int]]:
    if _anchors().search(text):
        for number, kind in enumerate(TOKENS):
            for found in islice(_plain(kind.anchor).finditer(text), _MOST):
                yield number, found.end()


def hide_tokens(text: str, hidden: str, stays: Callable[[str], bool] = lambda _: False) -> str:
    """Replace the tokens of a text.

    Args:
        text: any text.
        hidden: what stands for each of them.
        stays: whether one is not replaced.
    """
    raw = text.encode(errors="surrogatepass")
    found = {(token.start, token.end) for token in find_tokens(raw)}
    spans = sorted(
        (span for span in found if not stays(raw[slice(*span)].decode(errors="surrogatepass"))),
        reverse=True,
    )
    before = len(raw)
    for start, end in spans:
        if end <= before:  # of two that overlap the later one is replaced
            raw = raw[:start] + hidden.encode() + raw[end:]
            before = start
    return raw.decode(errors="surrogatepass") if spans else text


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    # In JSON and in code a line may be ended by a letter after a backslash.
    edge = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))" if pattern[:1] not in b":/-" else b""
    return re.compile(edge + rb"(?:" + pattern + rb")" + (rb"(?![A-Za-z0-9_])" if edge else b""))


@cache
def _plain(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


@cache
def _anchors() -> re.Pattern[bytes]:
    return re.compile(b"|".join(dict.fromkeys(kind.anchor for kind in TOKENS)))

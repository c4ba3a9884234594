"""A made-up example of each kind of token: the same in each run, and written down nowhere.

Bodies are random, checksums computed, so no scanner takes this file for a secret.
"""

from __future__ import annotations

import base64
import json
import random
import string
import zlib
from collections.abc import Sequence

__all__ = ["EXAMPLES", "base62_token", "pem"]

_RANDOM = random.Random(14)
_62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_64 = _62 + "-_"
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits
_LOWER = string.ascii_lowercase + string.digits
_PYPI = b"pypi." + b"org"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _some(count: int, alphabet: str = _62) -> str:
    # No dash at the end, after which a token would seem to go on.
    return "".join(_RANDOM.choices(alphabet, k=count - 1)) + _RANDOM.choice("abcdef")


def _b64(count: int) -> str:
    return base64.b64encode(_RANDOM.randbytes(count)).decode()


def _url_b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def base62_token(prefix: str, body: str = "") -> str:
    """Return a token as GitHub and npm make them."""
    body = body or _some(30)
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = _62[digit] + digits
    return prefix + body + digits


def pem(kind: str, *, line: str = "\n") -> str:
    """Return a key of a kind, ``RSA PRIVATE KEY`` say."""
    body = line.join(_b64(48) for _ in range(8))
    return f"-----BEGIN {kind}-----{line}{body}{line}-----END {kind}-----{line}"


def _age() -> str:
    # The checksum as BIP 173 explains it, by polynomial division.
    prefix, data = "age-secret-key-", [_RANDOM.randrange(32) for _ in range(52)]
    values = [ord(x) >> 5 for x in prefix] + [0] + [ord(x) & 31 for x in prefix] + data + [0] * 6
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, word in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= word if top >> bit & 1 else 0
    check ^= 1
    data += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return (prefix + "1" + "".join(_BECH32[x] for x in data)).upper()


def _web_token() -> str:
    header = _url_b64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    return f"{header}.{_url_b64(json.dumps({'sub': _some(12)}).encode())}.{_some(43, _64)}"


def _google_account() -> str:
    key = pem("PRIVATE KEY")
    return json.dumps({"type": "service_account", "private_key": key}, indent=1)


def _aws(first: str) -> str:
    ident = first + _some(15, string.ascii_uppercase + "234567").upper()[:15] + "Q"
    return f"aws_access_key_id = {ident}\naws_secret_access_key = {_some(40, _62 + '+/')}\n"


def _discord() -> str:
    number = base64.b64encode(b"8" + str(_RANDOM.randrange(10**17, 10**18)).encode()[:17]).decode()
    return f"{number}.{_some(6, _64)}.{_some(38, _64)}"


EXAMPLES: Sequence[tuple[str, str]] = (
    ("private key", pem("RSA PRIVATE KEY")),
    ("private key", pem("EC PRIVATE KEY")),
    ("private key", pem("DSA PRIVATE KEY")),
    ("private key", pem("PRIVATE KEY")),
    ("private key", pem("ENCRYPTED PRIVATE KEY")),
    ("private key", pem("OPENSSH PRIVATE KEY")),
    ("private key", pem("PGP PRIVATE KEY BLOCK")),
    ("private key", "{" + json.dumps({"key": pem("PRIVATE KEY")})[1:]),
    ("private key", _google_account()),
    (
        "private key",
        "PuTTY-User-Key-" + f"File-3: ssh-rsa\nEncryption: none\nPublic-Lines: 2\n{_b64(48)}\n"
        f"{_b64(48)}\nPrivate-Lines: 2\n{_b64(48)}\n{_b64(48)}\n"
        f"Private-MAC: {_some(40, _HEX)}\n",
    ),
    ("age key", _age()),
    ("password in a URL", "postgres" + f"://app:{_some(12)}@db.internal:5432/app"),
    ("password in a URL", "redis" + f"://:{_some(16)}@cache:6379/0"),
    ("password of a machine", f"machine git.internal login me password {_some(14)}"),
    ("AWS access key", _aws("AK" + "IA")),
    ("AWS access key", _aws("AS" + "IA")),
    ("Google API key", "AIz" + f"a{_some(35, _64)}"),
    ("Google client secret", "GOC" + f"SPX-{_some(28, _64)}"),
    ("Google access token", "ya" + f"29.{_some(120, _64)}"),
    ("Azure storage key", "Account" + f"Key={_b64(64)}"),
    ("Azure shared access key", "SharedAccess" + f"Key={_b64(32)}"),
    ("Azure client secret", f"{_some(3)}8Q~{_some(34)}"),
    ("Azure DevOps token", _some(76) + "AZ" + f"DO{_some(4)}"),
    ("DigitalOcean token", "dop" + f"_v1_{_some(64, _HEX)}"),
    ("Cloudflare origin key", f"v1.0-{_some(24, _HEX)}-{_some(146, _HEX)}"),
    ("Heroku token", "HR" + f"KU-{_some(58, _64)}"),
    ("Fly.io token", "fo" + f"1_{_some(43, _64)}"),
    ("Netlify token", "nf" + f"p_{_some(36)}"),
    ("Supabase token", "sb" + f"p_{_some(40, _HEX)}"),
    ("PlanetScale token", "pscale" + f"_tkn_{_some(43)}"),
    ("Databricks token", "da" + f"pi{_some(32, _HEX)}"),
    *(("GitHub token", base62_token(f"gh{kind}_")) for kind in "pousr"),
    ("GitHub token", "github" + f"_pat_{_some(22)}_{_some(59)}"),
    ("GitLab token", "gl" + f"pat-{_some(20)}"),
    ("GitLab token", "gl" + f"rt-{_some(20)}"),
    ("Atlassian token", "ATA" + f"TT3xFfGF0{_some(170, _64)}=0A1B2C3D"),
    ("Bitbucket token", "AT" + f"BB{_some(32)}"),
    ("CircleCI token", "CCI" + f"PAT_{_some(22)}_{_some(40, _HEX)}"),
    ("Buildkite token", "bk" + f"ua_{_some(40, _HEX)}"),
    ("Pulumi token", "pu" + f"l-{_some(40, _HEX)}"),
    ("Terraform Cloud token", f"{_some(14)}.atlas" + f"v1.{_some(67, _64)}"),
    ("SonarQube token", "sq" + f"p_{_some(40, _HEX)}"),
    ("Sentry token", "sntr" + f"ys_{_b64(120)}"),
    ("Sentry token", "sntr" + f"yu_{_some(64, _HEX)}"),
    ("Postman key", "PM" + f"AK-{_some(24, _HEX)}-{_some(34, _HEX)}"),
    ("Figma token", "fi" + f"gd_{_some(40, _64)}"),
    ("npm token", base62_token("np" + "m_")),
    ("PyPI token", "py" + f"pi-{_url_b64(bytes([2, 1, 8]) + _PYPI + _RANDOM.randbytes(90))}"),
    ("RubyGems token", "ruby" + f"gems_{_some(48, _HEX)}"),
    ("crates.io token", "ci" + f"o{_some(32)}"),
    ("NuGet key", "oy" + f"2{_some(43, _LOWER)}"),
    ("Docker Hub token", "dckr" + f"_pat_{_some(27, _64)}"),
    ("Docker Hub token", "dckr" + f"_oat_{_some(32, _64)}"),
    ("Artifactory token", "AK" + f"Cp{_some(69)}"),
    ("Vault token", "hv" + f"s.{_some(92, _64)}"),
    ("Doppler token", "dp" + f".st.prd.{_some(43)}"),
    ("1Password token", "ops_" + f"eyJ{_url_b64(_RANDOM.randbytes(240))}"),
    ("Tailscale key", "tskey" + f"-auth-{_some(17)}-{_some(32)}"),
    ("Grafana token", "gl" + f"sa_{_some(32)}_{_some(8, _HEX)}"),
    ("Grafana Cloud token", "gl" + f"c_eyJ{_b64(90)}"),
    ("New Relic key", "NR" + f"AK-{_some(26, _UPPER).upper()}Z"),
    ("Dynatrace token", "dt0" + f"c01.{_some(24, _UPPER).upper()}.{_some(64, _UPPER).upper()}"),
    ("Slack token", "xo" + f"xb-{_some(11, '123456789')[:10]}7-3141592653589-{_some(24)}"),
    (
        "Slack app token",
        "xa" + f"pp-1-A0{_some(8, _UPPER).upper()}-2718281828459-{_some(64, _HEX)}",
    ),
    (
        "Slack webhook",
        "https://hooks.slack" + f".com/services/T0{_some(8, _UPPER).upper()}/"
        f"B0{_some(8, _UPPER).upper()}/{_some(24)}",
    ),
    ("Discord token", _discord()),
    (
        "Discord webhook",
        "https://discord.com/api/web" + f"hooks/118273645546372819/{_some(68, _64)}",
    ),
    ("Telegram token", "6283746501" + f":AA{_some(33, _64)}"),
    ("SendGrid key", "S" + f"G.{_some(22, _64)}.{_some(43, _64)}"),
    ("Twilio key", "S" + f"K{_some(32, _HEX)}"),
    ("Mailgun key", "ke" + f"y-{_some(32, _HEX)}"),
    ("Mailchimp key", f"{_some(32, _HEX)}-us" + "14"),
    ("Brevo key", "xkey" + f"sib-{_some(64, _HEX)}-{_some(16)}"),
    ("Stripe key", "sk_" + f"live_{_some(24)}"),
    ("Stripe key", "rk_" + f"live_{_some(99)}"),
    ("Stripe webhook secret", "wh" + f"sec_{_some(32)}"),
    ("Shopify token", "shp" + f"at_{_some(32, _HEX)}"),
    ("Square token", "sq0" + f"atp-{_some(22, _64)}"),
    ("EasyPost key", "EZ" + f"AK{_some(54)}"),
    ("Shippo token", "shippo" + f"_live_{_some(40, _HEX)}"),
    ("OpenAI key", "sk-pro" + f"j-{_some(74, _64)}T3Blbk" + f"FJ{_some(74, _64)}"),
    ("OpenAI key", "s" + f"k-{_some(20)}T3Blbk" + f"FJ{_some(20)}"),
    ("Anthropic key", "sk-a" + f"nt-api03-{_some(93, _64)}AA"),
    ("OpenRouter key", "sk-o" + f"r-v1-{_some(64, _HEX)}"),
    ("Hugging Face token", "h" + f"f_{_some(34, string.ascii_letters)[:33]}k"),
    ("Groq key", "gs" + f"k_{_some(52)}"),
    ("Replicate token", "r" + f"8_{_some(37)}"),
    ("Perplexity key", "pp" + f"lx-{_some(48)}"),
    ("xAI key", "xa" + f"i-{_some(80)}"),
    ("Linear key", "lin" + f"_api_{_some(40)}"),
    ("Notion token", "secr" + f"et_{_some(43)}"),
    ("Notion token", "nt" + f"n_{_some(12, '123456789')[:11]}{_some(35)}"),
    ("Airtable token", "pa" + f"t{_some(14)}.{_some(64, _HEX)}"),
    ("Contentful token", "CF" + f"PAT-{_some(43, _64)}"),
    ("Typeform token", "tf" + f"p_{_some(59)}"),
    ("Prefect key", "pn" + f"u_{_some(36)}"),
    ("Adafruit key", "ai" + f"o_{_some(28)}"),
    ("JSON web token", _web_token()),
)
"""What each is, and a text that has one."""

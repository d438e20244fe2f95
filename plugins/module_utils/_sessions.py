# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending requests as somebody: realms, logins, CSRF tokens, each login once a run and worker, and what has to be undone afterwards.

Checks come in by :meth:`Sessions.of` and declare :data:`OPTIONS` among their options. A password is in ``ctx.secrets`` under ``logins.<name>.password``;
it goes into a request's body and nowhere else.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import html.parser
import json
import struct
import threading
import time
import typing as t
import urllib.parse

from ansible_collections.resto.golive.plugins.module_utils import _requests, _words
from ansible_collections.resto.golive.plugins.module_utils._check import CannotKnow, Context, Json, Options
from ansible_collections.resto.golive.plugins.module_utils._http import Answer, Client, Stream
from ansible_collections.resto.golive.plugins.module_utils._requests import Miss, Request
from ansible_collections.resto.golive.plugins.module_utils._words import malformed

#: What every check that sends requests declares: variables that are said once for the whole system.
OPTIONS: dict[str, dict[str, t.Any]] = {
    "domains": {"type": "dict", "variable": "golive_domains", "example": "golive_domains: {website: …, admin: …, api: …}"},
    "requests": {"type": "dict", "variable": "golive_requests", "example": 'golive_requests: {menu: "GET api:/v1/restaurants/{tenant}/menu"}'},
    "realms": {
        "type": "dict",
        "variable": "golive_realms",
        "example": 'golive_realms: {admin: {send: {http: "POST admin:/login", …}, me: "GET admin:/api/me"}}',
    },
    "logins": {
        "type": "dict",
        "variable": "golive_logins",
        "secrets": ("*.password", "*.totp"),
        "example": 'golive_logins: {owner: {tenant: a, user: owner@a.test, password: "test/owner#password"}}',
    },
    "tenants": {"type": "dict", "variable": "golive_tenants", "example": "golive_tenants: {a: {id: test-bogota, zone: America/Bogota}}"},
    "preset": {"type": "str", "variable": "golive_preset", "example": "golive_preset: fastapi"},
    "ca_bundle": {"type": "str", "variable": "golive_ca_bundle", "example": "golive_ca_bundle: /etc/ssl/private-ca.pem"},
}

#: Where frameworks keep their CSRF token and want it back, for realms that do not say so (Django: "Cross Site Request Forgery protection", how-to;
#: Rails: ActionController::RequestForgeryProtection; Laravel: "CSRF Protection", X-XSRF-TOKEN).
CSRF: dict[str, dict[str, str]] = {
    "django": {"from": "cookie:csrftoken", "to": "header:X-CSRFToken"},
    "rails": {"from": "meta:csrf-token", "to": "header:X-CSRF-Token"},
    "laravel": {"from": "cookie:XSRF-TOKEN", "to": "header:X-XSRF-TOKEN"},
}
_REALM_KEYS = frozenset({"send", "me", "token", "start", "refresh", "logout", "csrf"})
#: A page that is left by redirects is followed this far, within its own domain.
_REDIRECTS = 3


class Unexpected(CannotKnow):
    """A request was answered, and not as it had to be. ``answer`` and ``misses`` say how; a check may hold it against its target."""

    def __init__(self, request: Request, answer: Answer, misses: list[Miss]) -> None:
        first = misses[0]
        super().__init__("request.unexpected", where=request.where, what=first.what, expected=str(first.expected)[:200], observed=str(first.observed)[:200])
        self.answer = answer
        self.misses = misses


@dataclasses.dataclass
class Login:
    """Somebody who is logged in: a client with their cookies, or a bearer token. ``saved`` are the words that logging in gave."""

    name: str
    realm: str
    client: Client
    bearer: str = ""
    csrf: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    page: Answer | None = None
    saved: dict[str, Json] = dataclasses.field(default_factory=dict)


class Sessions:
    """Who is logged in where, and requests sent as them. May be used by several threads at once."""

    def __init__(self, options: Options, secrets: t.Mapping[str, str]) -> None:
        self._options = options
        self._secrets = secrets
        self.declared: t.Mapping[str, Json] = options.get("requests") or {}
        self.providers: t.Mapping[str, Json] = options.get("providers") or {}
        self._logins: dict[tuple[str, str], Login] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()
        self.anonymous = self.client()

    @classmethod
    def of(cls, ctx: Context) -> Sessions:
        """Return the sessions that all checks of this worker with the same logins share."""
        mark = hashlib.sha256(
            json.dumps([{name: ctx.options.get(name) for name in OPTIONS}, sorted(ctx.secrets)], sort_keys=True, default=str).encode()
        ).hexdigest()
        return t.cast("Sessions", ctx.shared(f"sessions {mark}", lambda: cls(ctx.options, ctx.secrets)))

    def client(self, **arguments: t.Any) -> Client:
        """Return a user agent of its own, without cookies, that trusts whom this system trusts."""
        return Client(self._options.get("ca_bundle"), **arguments)

    def parse(self, value: Json, where: str) -> Request:
        """Return the request that *value* says; a domain or a login that nobody declared is an error at once."""
        request = _requests.parse(value, self.declared, where)
        self.url(request.address, dict.fromkeys(_words.names(request.address), ""), where)
        if request.login not in ("", "anonymous"):
            self._declared_login(request.login, where)
            self._realm(request)
        return request

    def url(self, address: str, words: _words.Words, where: str = "") -> str:
        """Return *address* (``<domain key>:/path`` or ``https://…``) as a URL, words filled in and escaped."""
        if address.startswith("https://"):
            return _words.url(address, words, where)
        domain, _separator, path = address.partition(":")
        domains = self._options.get("domains") or {}
        if domain not in domains or not path.startswith("/"):
            raise malformed(where, "not_an_address", address.split("?")[0][:100])
        return f"https://{domains[domain]}{_words.url(path, words, where)}"

    def words_of(self, login: str) -> dict[str, Json]:
        """Return the words that *login* provides: its user, and its tenant's id, zone and phone. Nobody: the first tenant's."""
        tenants = self._options.get("tenants") or {}
        found: dict[str, Json] = {}
        key = next(iter(tenants), "")
        if login not in ("", "anonymous"):
            declared = self._declared_login(login, "golive_logins")
            found["user"] = declared["user"]
            key = str(declared.get("tenant", key))
        return {**found, **tenant_words(tenants, key)}

    def send(self, request: Request, words: _words.Words, *, timeout_s: float | None = None, client: Client | None = None) -> tuple[Answer, dict[str, Json]]:
        """Send *request* and return its answer and what it saves. Raises :class:`Unexpected` where the answer is not as the request expects.

        *client* stands in for the shared one (a fresh session, another source address); who it is logged in as is then the caller's business.
        """
        answer = self.raw(request, words, timeout_s=timeout_s, client=client)
        misses = request.expect.misses(answer, {**self.words_of(request.login), **words}, request.where)
        saved: dict[str, Json] = {}
        for name, path in request.save.items():
            try:
                saved[name] = _words.pointer(answer.json(), path)
            except LookupError:
                misses.append(Miss(f"save {path}", "present", None))
        if misses:
            raise Unexpected(request, answer, misses)
        return answer, saved

    def prepared(self, request: Request, words: _words.Words, login: Login | None) -> tuple[str, dict[str, str], bytes | None]:
        """Return URL, headers and body of *request* as *login* (None: nobody) sends it, cookies aside: for many copies that have to arrive together."""
        every = {**self.words_of(login.name if login else request.login), **(login.saved if login else {}), **words}
        url = self.url(request.address, every, request.where)
        return url, *self._content(request, every, url, login)

    def raw(self, request: Request, words: _words.Words, *, timeout_s: float | None = None, client: Client | None = None) -> Answer:
        """Send *request* and return whatever it is answered. Raises ``NoAnswer``."""
        login = self.login(request.login, self._realm(request)) if client is None and request.login not in ("", "anonymous") else None
        url, headers, body = self.prepared(request, words, login)
        chosen = client or (login.client if login else self.anonymous)
        return chosen.send(request.method, url, headers=headers, body=body, timeout_s=timeout_s)

    def stream(self, address: str, login: str, words: _words.Words, where: str, *, accept: str) -> Stream:
        """Open *address* as *login* and return an answer whose body goes on."""
        request = Request("GET", address, where, login=login, headers={"Accept": accept})
        who = self.login(login, self._realm(request)) if login not in ("", "anonymous") else None
        url = self.url(address, {**self.words_of(login), **words}, where)
        headers, _body = self._content(request, {**self.words_of(login), **words}, url, who)
        return (who.client if who else self.anonymous).stream("GET", url, headers=headers)

    def headers_of(self, address: str, login: str, words: _words.Words, where: str) -> tuple[str, dict[str, str]]:
        """Return the URL, and the headers that make a connection to it *login*'s: for protocols that are not requests (WebSocket)."""
        who = self.login(login, self._realm(Request("GET", address, where, login=login))) if login not in ("", "anonymous") else None
        url = self.url(address, {**self.words_of(login), **words}, where)
        headers, _body = self._content(Request("GET", address, where), {}, url, who)
        if who is not None:
            cookie = who.client.cookie_header(url)
            headers |= {"Cookie": cookie} if cookie else {}
        return url, headers

    def login(self, name: str, realm: str) -> Login:
        """Return *name* logged in to *realm*: once, whoever asks first; the others wait for it. Raises ``CannotKnow``."""
        key = (name, realm)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._logins:
                self._logins[key] = self.fresh_login(name, realm)
            return self._logins[key]

    def fresh_login(self, name: str, realm: str, client: Client | None = None) -> Login:
        """Log *name* in to *realm* anew, in a session of its own, and prove it (``me``). Raises ``CannotKnow``."""
        rules = self._rules(realm)
        where = f"golive_realms.{realm}"
        login = Login(name, realm, client or self.client())
        login.csrf = rules.get("csrf") or CSRF.get(str(self._options.get("preset")), {})
        send = _requests.parse(rules["send"], self.declared, f"{where}.send")
        if login.csrf:
            start = _requests.parse(rules["start"], self.declared, f"{where}.start") if "start" in rules else Request("GET", send.address, f"{where}.start")
            login.page = self._page(login, self.url(start.address, self.words_of(name), where))
        words = {**self.words_of(name), **self._credentials(name)}
        url = self.url(send.address, words, send.where)
        headers, body = self._content(send, words, url, login)
        answer = login.client.send(send.method, url, headers=headers, body=body)
        expect = send.expect if send.expect != _requests.Expect() else _requests.Expect(status=("2xx", "3xx"))
        misses = expect.misses(answer, words, send.where)
        if misses:
            raise CannotKnow("request.login_refused", login=name, realm=realm, what=misses[0].what, observed=str(misses[0].observed)[:100])
        self._take(login, rules, answer, send)
        self._prove(login, rules)
        if login.csrf and login.page is not None and not login.csrf["from"].startswith("cookie:"):
            login.page = self._page(login, self.url(start.address, self.words_of(name), where))
        return login

    def _take(self, login: Login, rules: t.Mapping[str, Json], answer: Answer, send: Request) -> None:
        """Keep what logging in gave: the bearer token, the refresh token, whatever ``save`` names."""
        document = answer.json()
        for word, path in send.save.items():
            try:
                login.saved[word] = _words.pointer(document, path)
            except LookupError:
                raise CannotKnow("request.login_gave_nothing", login=login.name, realm=login.realm, pointer=path) from None
        if "token" in rules:
            try:
                login.bearer = str(_words.pointer(document, str(rules["token"])))
            except LookupError:
                raise CannotKnow("request.login_gave_nothing", login=login.name, realm=login.realm, pointer=str(rules["token"])) from None
        if isinstance(document, dict) and isinstance(document.get("refresh_token"), str):
            login.saved.setdefault("refresh_token", document["refresh_token"])

    def _prove(self, login: Login, rules: t.Mapping[str, Json]) -> None:
        """The positive control of every use: ``me`` answers 2xx only to whom is logged in."""
        me = _requests.parse(rules["me"], self.declared, f"golive_realms.{login.realm}.me")
        words = {**self.words_of(login.name), **login.saved}
        url = self.url(me.address, words, me.where)
        headers, body = self._content(me, words, url, login)
        misses = me.expect.misses(login.client.send(me.method, url, headers=headers, body=body), words, me.where)
        if misses:
            raise CannotKnow("request.login_unproven", login=login.name, realm=login.realm, what=misses[0].what, observed=str(misses[0].observed)[:100])

    def _page(self, login: Login, url: str) -> Answer:
        """Return the page at *url*, following redirects within its own host."""
        for _step in range(_REDIRECTS + 1):
            answer = login.client.send("GET", url, headers={"Accept": "text/html"})
            target = urllib.parse.urljoin(url, answer.headers.get("location", ""))
            if answer.status // 100 != 3 or urllib.parse.urlsplit(target)[:2] != urllib.parse.urlsplit(url)[:2]:
                return answer
            url = target
        return answer

    def _content(self, request: Request, words: _words.Words, url: str, login: Login | None) -> tuple[dict[str, str], bytes | None]:
        """Return headers and body of *request*, with bearer, origin and CSRF token where its login has them."""
        headers: dict[str, str] = {}
        extra: dict[str, str] = {}
        if login is not None and login.bearer:
            headers["Authorization"] = f"Bearer {login.bearer}"
        elif login is not None and request.unsafe:
            parts = urllib.parse.urlsplit(url)
            headers["Origin"] = f"{parts.scheme}://{parts.netloc}"  # as a browser does, and as session-based servers may demand
            if login.csrf:
                kind, _separator, name = login.csrf["to"].partition(":")
                (headers if kind == "header" else extra)[name] = self._token(login, url)
        body: bytes | None = None
        if request.body is not None or extra:
            kind, content = request.body or ("form", {})
            filled = _words.fill(content, words, request.where)
            if kind == "json":
                headers["Content-Type"], body = "application/json", json.dumps(filled).encode()
            elif kind == "form":
                headers["Content-Type"], body = "application/x-www-form-urlencoded", urllib.parse.urlencode({**filled, **extra}).encode()
            else:
                headers["Content-Type"], body = "text/plain; charset=utf-8", str(filled).encode()
        headers |= {name: _words.text(value, words, request.where) for name, value in request.headers.items()}
        return headers, body

    def _token(self, login: Login, url: str) -> str:
        kind, _separator, name = login.csrf["from"].partition(":")
        found = login.client.cookie(url, name) if kind == "cookie" else _in_page(login.page, kind, name)
        if not found:
            raise CannotKnow("request.csrf_missing", realm=login.realm, source=login.csrf["from"])
        return urllib.parse.unquote(found)

    def _credentials(self, name: str) -> dict[str, Json]:
        password = self._secrets.get(f"logins.{name}.password")
        if password is None:
            raise CannotKnow("request.password_missing", login=name)
        seed = self._secrets.get(f"logins.{name}.totp")
        return {"password": password, **({"totp": totp(seed, time.time())} if seed else {})}

    def _declared_login(self, name: str, where: str) -> t.Mapping[str, Json]:
        logins = self._options.get("logins") or {}
        if name not in logins:
            raise malformed(where, "unknown_login", name)
        return t.cast("t.Mapping[str, Json]", logins[name])

    def _realm(self, request: Request) -> str:
        """Return the realm of *request*: its domain's key."""
        realm = request.address.partition(":")[0]
        if request.login in ("", "anonymous"):
            return realm
        if realm not in (self._options.get("realms") or {}):
            raise malformed(request.where, "no_realm", realm)
        return realm

    def _rules(self, realm: str) -> t.Mapping[str, Json]:
        where = f"golive_realms.{realm}"
        rules = (self._options.get("realms") or {}).get(realm)
        if not isinstance(rules, t.Mapping) or "send" not in rules or "me" not in rules:
            raise malformed(where, "realm_incomplete")
        for key in sorted(set(map(str, rules)) - _REALM_KEYS):
            if not key.startswith("x_"):
                raise malformed(where, "unknown_key", key)
        return rules


def tenant_words(tenants: t.Mapping[str, Json], key: str) -> dict[str, Json]:
    """Return the words that the tenant *key* of ``golive_tenants`` provides."""
    tenant = tenants.get(key) or {}
    return {word: tenant[name] for word, name in (("tenant", "id"), ("zone", "zone"), ("phone", "phone")) if name in tenant}


class _Finder(html.parser.HTMLParser):
    """Finds the value of a field or of a meta tag."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__()
        self._tag, self._value = ("meta", "content") if kind == "meta" else ("input", "value")
        self._name = name
        self.found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == self._tag and given.get("name") == self._name and not self.found:
            self.found = given.get(self._value) or ""


def _in_page(page: Answer | None, kind: str, name: str) -> str:
    finder = _Finder(kind, name)
    finder.feed(page.text if page is not None else "")
    return finder.found


def totp(seed: str, now: float) -> str:
    """Return the six digits of *seed* (base32) at *now* (RFC 6238: SHA-1, 30 s)."""
    key = base64.b32decode(seed.upper().replace(" ", "") + "=" * (-len(seed.replace(" ", "")) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(now) // 30), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return str((int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF) % 1_000_000).zfill(6)

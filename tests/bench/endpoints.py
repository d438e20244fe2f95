# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""200 and 1,000 TLS names on the probe host, against a loop of ``community.crypto.get_certificate``, against sslyze, and against one name alone."""

from __future__ import annotations

import contextlib
import datetime
import json
import pathlib
import subprocess
import sys
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.resto.golive.tests.bench import lab
from ansible_collections.resto.golive.tests.bench.measure import Sample, median_s, ratio, rounds
from ansible_collections.resto.golive.tests.bench.table import Floor, Row, seconds

HERE = pathlib.Path(__file__).parent
ZONE = "bench.providers.test"  # the lab's DNS answers with probe1 for everything below providers.test
PROBE = "probe1"
SSLYZE = lab.ROOT / ".cache" / "venv-sslyze" / "bin" / "sslyze"
LOOPED = 20
CA_FILE = lab.WORK / "ca.pem"


def rows() -> list[Row]:
    with serving() as server:
        few, many = ([f"n{number:04}.{ZONE}" for number in range(count)] for count in (200, 1000))
        prove(many, server)
        return [against_one(few, server, 3), *compared(few, server, 3), *compared(many, server, 2)]


def against_one(names: list[str], server: dict[str, t.Any], times: int) -> Row:
    """Compare many names with one: they are looked at side by side, so that what a run costs before it looks stays most of it."""
    many, one = (lab.playbook(f"names_{len(some)}", {"hosts": PROBE, "tasks": [look(some, server)]}) for some in (names, names[:1]))
    seen = rounds(times, many=lambda: lab.play(many), one=lambda: lab.play(one))
    what = f"{len(names)} TLS names; the same with one name"
    return Row(what, seconds(median_s(seen["many"])), seconds(median_s(seen["one"])), ratio(seen["many"], seen["one"]), Floor(at_most=3))


def compared(names: list[str], server: dict[str, t.Any], times: int) -> list[Row]:
    some = names[:LOOPED]
    book = lab.playbook("names", {"hosts": PROBE, "tasks": [look(names, server)]})
    local = {"hosts": "localhost", "become": False, "vars": {"ansible_python_interpreter": sys.executable}}
    loop = lab.playbook("loop", {**local, "tasks": [loop_of(some, server)]})
    nothing = lab.playbook("nothing", {**local, "tasks": []})
    targets = lab.WORK / "sslyze_targets"
    address = lab.addresses()[PROBE]
    targets.write_text("".join(f"{name}:{server['port']}{{{address}}}\n" for name in names), encoding="ascii")
    sslyze = [SSLYZE, "--certinfo", f"--certinfo_ca_file={CA_FILE}", f"--targets_in={targets}", f"--json_out={lab.WORK / 'sslyze.json'}", "--quiet"]
    seen = rounds(times, ours=lambda: lab.play(book), loop=lambda: lab.play(loop), nothing=lambda: lab.play(nothing), sslyze=lambda: lab.checked(sslyze))
    # Against ourselves: the loop is charged what its names take, without Ansible's start; we are charged with everything.
    looped = [Sample((whole.wall_s - empty.wall_s) / LOOPED, 0) for whole, empty in zip(seen["loop"], seen["nothing"], strict=True)]
    ours = [Sample(sample.wall_s / len(names), 0) for sample in seen["ours"]]
    return [
        Row(
            f"{len(names)} TLS names: a name; a loop of community.crypto.get_certificate",
            seconds(median_s(ours)),
            seconds(median_s(looped)),
            ratio(looped, ours),
            Floor(at_least=40),
        ),
        Row(
            f"{len(names)} TLS names; sslyze --certinfo",
            seconds(median_s(seen["ours"])),
            seconds(median_s(seen["sslyze"])),
            ratio(seen["sslyze"], seen["ours"]),
        ),
    ]


def look(names: list[str], server: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the task: the check of the collection as a user calls it."""
    options = {
        "domains": {"first": names[0]},
        "endpoints": [f"{name}:{server['port']}" for name in names[1:]],
        "port": server["port"],
        "redirect_port": server["plain"],
        "ca_bundle": f"{server['folder']}/ca.pem",
    }
    return {"name": "All names", "resto.golive.tls_certificate": options, "register": "seen"}


def loop_of(names: list[str], server: dict[str, t.Any]) -> dict[str, t.Any]:
    options = {"host": lab.addresses()[PROBE], "port": server["port"], "server_name": "{{ item }}", "ca_cert": str(CA_FILE)}
    return {"name": "One by one", "community.crypto.get_certificate": options, "loop": names}


def prove(names: list[str], server: dict[str, t.Any]) -> None:
    """See once, untimed, that every name was looked at and passed."""
    that = f"(seen.golive.rows | selectattr('status', 'eq', 'pass') | length) == {len(names)}"
    lab.play(lab.playbook("names_proof", {"hosts": PROBE, "tasks": [look(names, server), {"name": "All pass", "ansible.builtin.assert": {"that": that}}]}))


@contextlib.contextmanager
def serving() -> t.Iterator[dict[str, t.Any]]:
    ca, chain, key = certificates()
    CA_FILE.write_text(ca, encoding="ascii")
    source = (HERE / "tls_server.py").read_text(encoding="utf-8")
    # The source comes first on standard input; that it stays open afterwards is what keeps the server alive.
    argv = lab.ssh(PROBE, "python3", "-c", f"import sys; exec(sys.stdin.read({len(source)}))")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(source + json.dumps({"ca.pem": ca, "chain.pem": chain, "key.pem": key}) + "\n")
        child.stdin.flush()
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.stdin.close()
            child.wait(10)


def certificates() -> tuple[str, str, str]:
    """Return a CA, a chain and a key as PEM: one EC certificate for all names, which differ in what is asked for, not in what is served."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.UTC)

    def signed(subject: x509.Name, public: ec.EllipticCurvePublicKey, *extensions: tuple[x509.ExtensionType, bool]) -> str:
        builder = x509.CertificateBuilder(
            issuer, subject, public, x509.random_serial_number(), now - datetime.timedelta(hours=1), now + datetime.timedelta(days=90)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    names = x509.SubjectAlternativeName([x509.DNSName(f"*.{ZONE}")])
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    signs = x509.KeyUsage(*([False] * 5), key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
    own_key = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = signed(issuer, ca_key.public_key(), (x509.BasicConstraints(ca=True, path_length=0), True), (signs, True), (own_key, False))
    leaf = signed(x509.Name([]), key.public_key(), (names, True), (issued_by, False))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    return ca, leaf + ca, private

# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the report that no item brings with it, in Spanish and English. Data only; every renderer may come in."""

from __future__ import annotations

Text = dict[str, str]  # {"es": …, "en": …}

LANGUAGES = ("es", "en")

#: Titles of the boxes that only hold other boxes (catalogue.yml: parents), by number. They are no items, so golive.json does not carry them.
PARENTS: dict[str, Text] = {
    "4.3": {"es": "Alertas mínimas", "en": "Minimum alerts"},
    "8.3": {"es": "Prueba end-to-end real (staging)", "en": "Real end-to-end test (staging)"},
}

#: Item states, worst first, as they are counted and shown.
STATES: dict[str, Text] = {
    "fail": {"es": "Falla", "en": "Fails"},
    "unknown": {"es": "Sin comprobar", "en": "Not verified"},
    "stale": {"es": "Evidencia vencida", "en": "Stale evidence"},
    "pending": {"es": "Falta firma", "en": "Signature missing"},
    "warn": {"es": "Con aviso", "en": "Warning"},
    "waived": {"es": "Riesgo aceptado", "en": "Risk accepted"},
    "not_applicable": {"es": "No aplica", "en": "Not applicable"},
    "attested": {"es": "Firmado", "en": "Signed"},
    "pass": {"es": "Probado", "en": "Proven"},
}

#: Only these are ticked.
TICKED = frozenset({"pass", "attested", "not_applicable"})

SEVERITIES: dict[str, Text] = {
    "critical": {"es": "crítica", "en": "critical"},
    "high": {"es": "alta", "en": "high"},
    "medium": {"es": "media", "en": "medium"},
    "low": {"es": "baja", "en": "low"},
}

#: Status of one observation or of one assertion in its evidence.
STATUSES: dict[str, Text] = {
    "pass": {"es": "se cumple", "en": "holds"},
    "warn": {"es": "con aviso", "en": "warning"},
    "fail": {"es": "no se cumple", "en": "does not hold"},
    "error": {"es": "no se pudo decidir", "en": "could not decide"},
    "unreachable": {"es": "no responde", "en": "unreachable"},
    "not_run": {"es": "no se ejecutó", "en": "not run"},
    "not_applicable": {"es": "no aplica", "en": "not applicable"},
}

#: Phases of a restore, in the words of the runbook.
PHASES: dict[str, Text] = {
    "fetch": {"es": "traer la copia", "en": "fetch the backup"},
    "check": {"es": "comprobarla", "en": "check it"},
    "restore": {"es": "restaurar", "en": "restore"},
    "analyze": {"es": "estadísticas", "en": "statistics"},
    "verify": {"es": "verificar", "en": "verify"},
}

MODES: dict[str, Text] = {
    "audit": {"es": "auditoría", "en": "audit"},
    "drill": {"es": "simulacro", "en": "drill"},
    "fix": {"es": "tras la corrección", "en": "after the fix"},
    "check_mode": {"es": "modo de prueba", "en": "check mode"},
}

#: What a waiver or an attestation is worth.
SIGNED: dict[str, Text] = {
    "used": {"es": "en uso", "en": "in use"},
    "unused": {"es": "sin uso", "en": "unused"},
    "valid": {"es": "vigente", "en": "valid"},
    "expired": {"es": "vencida", "en": "expired"},
    "future": {"es": "con fecha futura", "en": "dated in the future"},
    "refused": {"es": "rechazada", "en": "refused"},
}

#: What git says of a signature that counts; why one does not count is its problem's text.
RECORDS: dict[str, Text] = {
    "committed": {"es": "En git: {by}, {at} ({commit})", "en": "In git: {by}, {at} ({commit})"},
    "excused": {
        "es": "No está en git, y el inventario lo declara: golive_decisions_committed: false",
        "en": "Not in git, and the inventory says so: golive_decisions_committed: false",
    },
    "no_git": {"es": "El inventario no está en git: no consta quién la escribió", "en": "The inventory is not in git: who wrote it is not on record"},
}

VERDICTS: dict[str, Text] = {
    "GO": {"es": "GO", "en": "GO"},
    "GO_WITH_WAIVERS": {"es": "GO con riesgos aceptados", "en": "GO with waivers"},
    "NO_GO": {"es": "NO-GO", "en": "NO-GO"},
}

MEANINGS: dict[str, Text] = {
    "GO": {"es": "Todo lo que exige la lista está probado. Se puede abrir.", "en": "Everything that the checklist asks for is proven. You can open."},
    "GO_WITH_WAIVERS": {
        "es": "Se puede abrir. Lo que falta es un riesgo que alguien aceptó, con su firma y su fecha de vencimiento.",
        "en": "You can open. What is missing is a risk that someone accepted, signed and with an expiry date.",
    },
    "NO_GO": {"es": "Todavía no se puede abrir.", "en": "You cannot open yet."},
}

#: Title of the checklist by environment; None is every other one.
TITLES: dict[str | None, Text] = {
    "staging": {"es": "Staging checklist (pre-producción)", "en": "Staging checklist (pre-production)"},
    None: {"es": "Checklist de salida a producción", "en": "Go-live checklist"},
}

LABELS: dict[str, Text] = {
    "age": {"es": "Antigüedad", "en": "Age"},
    "approver": {"es": "Aprobó", "en": "Approved by"},
    "attempts": {"es": "Intentos", "en": "Attempts"},
    "attestations": {"es": "Firmas", "en": "Signatures"},
    "basis": {
        "es": "Cada casilla se apoya en evidencia; el detalle completo está en golive.json.",
        "en": "Every box rests on evidence; the full detail is in golive.json.",
    },
    "blockers": {"es": "Bloqueos actuales", "en": "Current blockers"},
    "blockers_of": {"es": "Por responsable", "en": "By owner"},
    "board": {"es": "Las casillas de un vistazo", "en": "All boxes at a glance"},
    "boxes": {"es": "Casillas", "en": "Boxes"},
    "by": {"es": "Firmó", "en": "Signed by"},
    "check": {"es": "Comprobación", "en": "Check"},
    "check_mode": {
        "es": "Corrida en modo de prueba (--check): no se cambió nada ni se hicieron simulacros.",
        "en": "Run in check mode (--check): nothing was changed and no drill was run.",
    },
    "checked_at": {"es": "Última comprobación", "en": "Last checked"},
    "clock_skew": {"es": "desfase del reloj", "en": "clock skew"},
    "collection": {"es": "Colección", "en": "Collection"},
    "compensation": {"es": "Compensación", "en": "Compensation"},
    "covers": {"es": "Cubre", "en": "Covers"},
    "date": {"es": "Fecha", "en": "Date"},
    "detail": {"es": "Ver la evidencia", "en": "See the evidence"},
    "doc": {"es": "Documentación", "en": "Documentation"},
    "down": {"es": "no responde", "en": "down"},
    "duration": {"es": "Duración", "en": "Duration"},
    "environment": {"es": "Entorno", "en": "Environment"},
    "evidence": {"es": "Evidencia", "en": "Evidence"},
    "expected": {"es": "Se esperaba", "en": "Expected"},
    "expires": {"es": "Vence", "en": "Expires"},
    "finished": {"es": "Terminó", "en": "Finished"},
    "fix": {"es": "Qué hacer", "en": "What to do"},
    "flaky": {"es": "inestable: pasó al reintentar", "en": "flaky: passed after a retry"},
    "goal": {"es": "Objetivo", "en": "Goal"},
    "goal_text": {
        "es": "Checklist para habilitar producción real en restaurantes con operación estable.",
        "en": "Checklist for opening real production in restaurants with stable operation.",
    },
    "host": {"es": "Servidor", "en": "Host"},
    "hosts": {"es": "Servidores", "en": "Hosts"},
    "item": {"es": "Casilla", "en": "Box"},
    "language": {"es": "Idioma", "en": "Language"},
    "limit": {"es": "Límite", "en": "Limit"},
    "more": {"es": "más", "en": "more"},
    "no_blockers": {"es": "ninguno", "en": "none"},
    "no_observations": {
        "es": "Nadie ha observado esta casilla todavía: no hay evidencia.",
        "en": "Nobody has observed this box yet: there is no evidence.",
    },
    "no_owner": {"es": "sin responsable declarado", "en": "no owner declared"},
    "none": {"es": "ninguna", "en": "none"},
    "observations": {"es": "Observaciones", "en": "Observations"},
    "observed": {"es": "Se observó", "en": "Observed"},
    "owner": {"es": "Responsable", "en": "Owner"},
    "partial": {
        "es": "Corrida parcial: lo que no se miró ahora se apoya en la última evidencia que aún vale.",
        "en": "Partial run: what was not looked at now rests on the last evidence that still holds.",
    },
    "problems": {"es": "Problemas de la corrida", "en": "Problems of the run"},
    "proven": {"es": "casillas cumplidas", "en": "boxes ticked"},
    "reason": {"es": "Motivo", "en": "Reason"},
    "release": {"es": "Versión", "en": "Release"},
    "report": {"es": "Informe", "en": "Report"},
    "restores": {"es": "Simulacros de restauración", "en": "Restore drills"},
    "restores_all": {"es": "Todos los números", "en": "All the numbers"},
    "restore_promised": {"es": "se promete", "en": "promised"},
    "restore_runbook": {"es": "Manual para restaurar de verdad", "en": "Runbook for the real thing"},
    "restore_size": {"es": "Tamaño de los datos", "en": "Size of the data"},
    "restore_time": {"es": "Tiempo hasta tener los datos (RTO)", "en": "Time until the data is back (RTO)"},
    "role": {"es": "Cargo", "en": "Role"},
    "run": {"es": "Corrida", "en": "Run"},
    "severity": {"es": "Severidad", "en": "Severity"},
    "skip": {"es": "Ir al contenido", "en": "Skip to content"},
    "started": {"es": "Comenzó", "en": "Started"},
    "state": {"es": "Estado", "en": "State"},
    "statement": {"es": "Declaración", "en": "Statement"},
    "status": {"es": "Estado", "en": "Status"},
    "tags": {"es": "Etiquetas", "en": "Tags"},
    "target": {"es": "Objetivo", "en": "Target"},
    "ticket": {"es": "Ticket", "en": "Ticket"},
    "ticked": {"es": "cumplida", "en": "ticked"},
    "unknown_release": {"es": "desconocida", "en": "unknown"},
    "up": {"es": "responde", "en": "up"},
    "valid_from": {"es": "Desde", "en": "Since"},
    "verdict": {"es": "Veredicto", "en": "Verdict"},
    "waivers": {"es": "Riesgos aceptados", "en": "Accepted risks"},
    "why": {"es": "Por qué importa", "en": "Why it matters"},
}

#: How long ago: seconds a unit, and its word for one and for many.
UNITS: tuple[tuple[int, Text, Text], ...] = (
    (86400, {"es": "día", "en": "day"}, {"es": "días", "en": "days"}),
    (3600, {"es": "h", "en": "h"}, {"es": "h", "en": "h"}),
    (60, {"es": "min", "en": "min"}, {"es": "min", "en": "min"}),
    (1, {"es": "s", "en": "s"}, {"es": "s", "en": "s"}),
)
AGO: Text = {"es": "hace {age}", "en": "{age} ago"}
AHEAD: Text = {"es": "con fecha futura", "en": "dated in the future"}

# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the runbook, in Spanish and English. Data only. What stands in braces is filled in by ``runbook``."""

from __future__ import annotations

Text = dict[str, str]

WORDS: dict[str, Text] = {
    "title": {"es": "Manual: restaurar PostgreSQL — {environment}", "en": "Runbook: restore PostgreSQL — {environment}"},
    "written": {
        "es": "Escrito el {at} a partir de los comandos y los tiempos del último simulacro que pasó. Cada simulacro lo escribe de nuevo: no lo edites.",
        "en": "Written on {at} from the commands and the times of the last drill that passed. Every drill writes it anew: do not edit it.",
    },
    "not_ready": {
        "es": "NO ESTÁ LISTO: ningún simulacro de restauración ha pasado en {host}. No hay pasos que nadie haya probado, y aquí no se inventan.",
        "en": "NOT READY: no restore drill has passed on {host}. There are no steps that anybody has tried, and none are made up here.",
    },
    "nowhere": {"es": "este entorno", "en": "this environment"},
    "last_told": {"es": "El último intento ({at}): {reason}", "en": "The last attempt ({at}): {reason}"},
    "get_ready": {"es": "Lanza el simulacro hasta que pase:", "en": "Run the drill until it passes:"},
    "proven": {
        "es": "PROBADO el {at}: la copia {backup} volvió exacta ({tables} tablas, {rows} filas, {size}) en {took}; se prometen {promised}.",
        "en": "PROVEN on {at}: the backup {backup} came back exact ({tables} tables, {rows} rows, {size}) in {took}; {promised} are promised.",
    },
    "since": {
        "es": "ATENCIÓN: el último simulacro ({at}) NO pasó: {reason} Estos pasos son los del {good}. Arregla eso antes de fiarte.",
        "en": "ATTENTION: the last drill ({at}) did NOT pass: {reason} These steps are those of {good}. Mend that before you rely on them.",
    },
    "stale": {
        "es": "ATENCIÓN: la casilla «{item}» no está cumplida: {reason}",
        "en": "ATTENTION: the box «{item}» is not ticked: {reason}",
    },
    "times": {"es": "Cuánto tarda", "en": "How long it takes"},
    "phase": {"es": "Fase", "en": "Phase"},
    "measured": {"es": "Medido", "en": "Measured"},
    "together": {"es": "Todo", "en": "All"},
    "human": {
        "es": "Súmale lo que no se mide: darse cuenta, decidir, parar la aplicación, volver a abrirla. La mitad de los comandos los teclea alguien nervioso.",
        "en": "Add what is not measured: noticing, deciding, stopping the app, opening again. Half of the commands are typed by somebody nervous.",
    },
    "tuned": {
        "es": "El simulacro restaura sin durabilidad (`tuned`). Con los ajustes de un servidor de verdad tarda varias veces más: mídelo con "
        "`postgres_restore_settings: production`.",
        "en": "The drill restores without durability (`tuned`). With a real server's settings it takes several times as long: measure it with "
        "`postgres_restore_settings: production`.",
    },
    "twice": {
        "es": "Con el doble de datos: {p50} (la mitad de las veces), {p90} (nueve de cada diez), por {runs} simulacros.",
        "en": "With twice the data: {p50} (half of the time), {p90} (nine times of ten), from {runs} drills.",
    },
    "no_twice": {
        "es": "Lo que tardaría con más datos no se dice: hacen falta cinco simulacros buenos.",
        "en": "What more data would take is not told: that needs five good drills.",
    },
    "lost": {
        "es": "Se pierde lo posterior a la copia: en el simulacro eran {minutes} minutos de pedidos (se prometen {promised}). Apunta qué faltará y "
        "avisa al restaurante.",
        "en": "What came after the backup is lost: in the drill that was {minutes} minutes of orders ({promised} are promised). Write down what will "
        "be missing, and "
        "tell the restaurant.",
    },
    "before": {"es": "Antes de tocar nada", "en": "Before you touch anything"},
    "decide": {
        "es": "Una persona decide y lo escribe con la hora. Si el servidor vive y solo faltan unos datos, no sigas: mira «Si solo faltan unos datos», "
        "al final.",
        "en": "One person decides, and writes it down with the time. If the server lives and only some data is missing, go no further: see «If only "
        "some data is "
        "missing», at the end.",
    },
    "where": {
        "es": "Todo se teclea en {host} (Debian o Ubuntu) como root, en bash: `sudo -i` y `cd /`. El simulacro corrió en una jaula: otra carpeta, "
        "otro usuario, sin red. Bajo cada paso se dice qué "
        "cambia en el de verdad.",
        "en": "Everything is typed on {host} (Debian or Ubuntu) as root, in bash: `sudo -i` and `cd /`. The drill ran in a cage: another folder, "
        "another user, no network. Under each step stands "
        "what differs in the real one.",
    },
    "new_machine": {
        "es": "¿Máquina nueva? Antes: instala {packages}, y pon {password_file} y la clave con la que se entra a {repository}. Están en el gestor de "
        "secretos; en la "
        "máquina perdida ya no.",
        "en": "A new machine? First: install {packages}, and bring {password_file} and the key that opens {repository}. The secret store has them; "
        "the lost machine no "
        "longer does.",
    },
    "drill": {"es": "En el simulacro ({took}):", "en": "In the drill ({took}):"},
    "no_drill": {
        "es": "El simulacro no lo hace: no toca lo vivo. Nadie lo ha medido.",
        "en": "The drill does not do it: it touches nothing live. Nobody has timed it.",
    },
    "differs": {"es": "Qué cambia", "en": "What differs"},
    "unknown": {
        "es": "El manual no conoce este paso. Se muestra tal como corrió; adáptalo a carpeta, usuario y puerto.",
        "en": "The runbook does not know this step. It is shown as it ran; adapt it to folder, user and port.",
    },
    "some": {"es": "Si solo faltan unos datos", "en": "If only some data is missing"},
    "some_how": {
        "es": "El servidor vive y no se para. Haz los pasos «{fetch}» y «{check}», restaura en otra base del mismo servidor y copia de ahí lo que "
        "falta. Necesita sitio "
        "en el disco: {size}.",
        "en": "The server lives and is not stopped. Take the steps «{fetch}» and «{check}», restore into another database of the same server, and "
        "copy from there what "
        "is missing. It needs room on the disk: {size}.",
    },
}

#: The steps of the real thing: the phases of the drill that they repeat, what they are called, and what differs. In this order.
STEPS: tuple[tuple[str, tuple[str, ...], Text, Text], ...] = (
    (
        "stop",
        (),
        {"es": "Parar lo que escribe", "en": "Stop what writes"},
        {
            "es": "Pon los nombres de tus servicios: web, API, tareas, y el cron que toque la base.",
            "en": "Put the names of your services: web, API, workers, and every cron job that touches the database.",
        },
    ),
    (
        "aside",
        (),
        {"es": "Apartar lo que hay, sin borrarlo", "en": "Set aside what is there, without removing it"},
        {
            "es": "Lo dañado se guarda: puede ser la única prueba, y lo posterior a la copia solo está ahí. En una máquina nueva no hay nada que apartar.",
            "en": "What is damaged is kept: it may be the only proof, and what came after the backup is there alone. A new machine has nothing to set aside.",
        },
    ),
    (
        "fetch",
        ("fetch",),
        {"es": "Traer la copia", "en": "Fetch the backup"},
        {
            "es": "Eliges tú la copia: la más nueva de antes del daño. La carpeta es otra y no se borra sola.",
            "en": "You choose the backup: the newest of before the damage. The folder is another one, and it is not removed by itself.",
        },
    ),
    (
        "check",
        ("check",),
        {"es": "Comprobar que está entera", "en": "See that it is whole"},
        {
            "es": "El simulacro compara cada fichero con el manifiesto; aquí lo hace sha256sum. Si se queja de uno, usa otra copia.",
            "en": "The drill compares every file with the manifest; here sha256sum does. If it complains of one, take another backup.",
        },
    ),
    (
        "initdb",
        ("initdb",),
        {"es": "Hacer un servidor vacío", "en": "Make an empty server"},
        {
            "es": "De verdad lo hace postgres en el puerto {port}, escribe en el disco (sin --no-sync) y no confía en cualquiera (sin --auth=trust).",
            "en": "The real one is postgres' own on port {port}, is written to the disk (no --no-sync) and does not trust just anybody (no --auth=trust).",
        },
    ),
    (
        "start",
        ("start",),
        {"es": "Arrancarlo", "en": "Start it"},
        {
            "es": "NO uses los ajustes del simulacro: fsync=off y archive_mode=off son para una copia que se tira. Ajustes y pg_hba.conf no van en la "
            "copia: salen del "
            "servidor apartado o de tu repositorio.",
            "en": "Do NOT use the drill's settings: fsync=off and archive_mode=off are for a copy that is thrown away. Settings and pg_hba.conf are "
            "not in the backup: they "
            "come from the server set aside, or from your repository.",
        },
    ),
    (
        "globals",
        ("globals",),
        {"es": "Traer roles y contraseñas", "en": "Bring roles and passwords"},
        {
            "es": "Lo mismo que en el simulacro: sin el rol postgres, que ya está, y sin tablespaces.",
            "en": "As in the drill: without the role postgres, which is there, and without tablespaces.",
        },
    ),
    (
        "restore",
        ("restore",),
        {"es": "Restaurar los datos", "en": "Restore the data"},
        {
            "es": "Por el socket del servidor de verdad. Se para en el primer error: si lo hay, no abras.",
            "en": "Over the real server's socket. It stops at the first error: if there is one, do not open.",
        },
    ),
    (
        "analyze",
        ("analyze",),
        {"es": "Hacer estadísticas", "en": "Gather statistics"},
        {"es": "Nada más que la conexión.", "en": "Nothing but the connection."},
    ),
    (
        "verify",
        ("verify",),
        {"es": "Verificar", "en": "Verify"},
        {
            "es": "El simulacro comparó además filas, contenido, secuencias y tus preguntas con el manifiesto. Aquí se mira la estructura; el resto "
            "lo probó la copia.",
            "en": "The drill also compared rows, content, sequences and your questions with the manifest. Here the structure is looked at; the rest "
            "was proven of the copy.",
        },
    ),
    (
        "open",
        (),
        {"es": "Abrir, y hacer una copia en el acto", "en": "Open, and back up at once"},
        {
            "es": "Mira entrar el primer pedido. Después lanza desde el nodo de control: {command}",
            "en": "Watch the first order come in. Then run on the control node: {command}",
        },
    ),
    (
        "tidy",
        (),
        {"es": "Recoger, una semana después", "en": "Tidy up, a week later"},
        {
            "es": "Solo cuando nadie eche nada en falta: lo apartado no vuelve.",
            "en": "Only when nobody misses anything: what was set aside does not come back.",
        },
    ),
)

# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup job and the restored copy's proof, as one small program: standard library and psycopg only, so that it runs on the host by itself.

The role installs this package as it stands; checks carry it to the host as one zip file. Imports are relative for that reason.
"""

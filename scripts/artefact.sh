#!/usr/bin/env bash
# Build the collection as it is published, and look at what is in it: all that works and nothing that only builds or tests it.
source "$(dirname "$0")/lib.sh"

out=build/artefact
rm -rf "$out"
mkdir -p "$out"
tree=$(scripts/tree.sh)
long "Building the collection" ansible-galaxy collection build "$tree" --output-path "$out"
listing="$out/listing"
tar --list --file "$out"/resto-golive-*.tar.gz | sort >"$listing"

for wanted in MANIFEST.json meta/runtime.yml meta/execution-environment.yml meta/ee-requirements.txt meta/ee-bindep.txt playbooks/golive.yml plugins/modules/audit.py plugins/plugin_utils/catalogue.yml roles/redis/meta/argument_specs.yml; do
    grep -qx "$wanted" "$listing" || die "$wanted is missing from the artefact"
done
if unwanted=$(grep -E '^(\.|collections|staging|prod|lab|reports|build|extensions|scripts|tests|inventories)' "$listing"); then
    die "the artefact has what it should not: $unwanted"
fi

# Installed by somebody who has nothing but this file, every module and the playbooks must be found by name. Nothing here knows the checkout: a home of
# its own, where ansible-galaxy installs what it is not told a place for, and settings that say nothing.
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
artefact=$(realpath "$out"/resto-golive-*.tar.gz)
# adopter FOLDER COMMAND...
adopter() { (cd "$1" && env --unset=ANSIBLE_CONFIG --unset=ANSIBLE_COLLECTIONS_PATH "HOME=$home" ANSIBLE_NOCOLOR=1 "${@:2}"); }
: >"$home/.ansible.cfg"
long "Installing it elsewhere" adopter "$home" ansible-galaxy collection install --no-deps --offline "$artefact"
modules=("$tree"/plugins/modules/*.py)
names=("${modules[@]##*/}")
names=("${names[@]/#/resto.golive.}")
adopter "$home" ansible-doc -t module --json "${names[@]%.py}" >"$out/documented.json"
documented=$(python -c 'import json, sys; print(sum("doc" in one for one in json.load(sys.stdin).values()))' <"$out/documented.json")
((documented == ${#modules[@]})) || die "$documented of ${#modules[@]} modules have documentation in the artefact"

# docs/adopting.md, from an empty folder to the first verdict. The only server is this machine, which is nobody's to mend: it is looked at without becoming
# anybody, and golive.yml, which would mend, is told that it has no part that a role mends.
# ends RC COMMAND...: a run in that folder's project ends so, and warns of nothing.
ends() {
    local wanted=$1 rc=0 log=$LOGS/adopter.log
    adopter "$home/golive" "${@:2}" >"$log" 2>&1 </dev/null || rc=$?
    if ((rc != wanted)) || grep -q 'WARNING\]' "$log"; then
        tail -n 40 "$log" >&2
        die "${*:2}: rc $rc, wanted $wanted without a warning; all of it is in ${log#"$ROOT"/}"
    fi
}
long "Beginning a project with it" adopter "$home" ansible-playbook resto.golive.init -i localhost, -e golive_dest=golive
ends 0 ansible-playbook golive.yml -i staging -t inventory
sed -i 's/{ansible_host: .*}/{ansible_connection: local, ansible_become: false}/' "$home/golive/inventories/staging/hosts.yml"
say "Looking first, and then as far as the first verdict"
ends 2 ansible-playbook golive.yml -i staging --check --diff -e '{golive_groups: {edge: nobody, postgres: nobody, redis: nobody}}'
[[ ! -e $home/golive/reports ]] || die "--check wrote reports"
ends 2 ansible-playbook resto.golive.audit -i staging -e golive_impact=passive
latest=$home/golive/reports/staging/latest
for wanted in golive.md golive.es.md golive.html runbook-restore.md runbook-restore.es.md junit.xml golive.sarif golive.prom; do
    [[ -s $latest/$wanted ]] || die "the first verdict wrote no $wanted"
done
python - "$latest/golive.json" <<'END' || die "the first verdict is not what it should be"
import json, sys

report = json.load(open(sys.argv[1]))
seen = {row["target"]["host"] for item in report["items"] for row in item["observations"]}
told = (report["verdict"], len(report["items"]), report["problems"], "vps1" in seen)
sys.exit(None if told == ("NO_GO", 40, [], True) else str(told))
END
say "$(wc -l <"$listing") files, ${#modules[@]} modules found by name, and a first verdict from an empty folder"

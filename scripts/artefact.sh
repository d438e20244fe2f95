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

# Installed elsewhere, without the checkout, every module and the playbooks must be found by name.
target=$PWD/$out/installed settings=$PWD/$out/empty.cfg
: >"$settings"
long "Installing it elsewhere" env "ANSIBLE_CONFIG=$settings" "ANSIBLE_COLLECTIONS_PATH=$target" \
    ansible-galaxy collection install --force --no-deps --offline -p "$target" "$out"/resto-golive-*.tar.gz
modules=("$tree"/plugins/modules/*.py)
for module in "${modules[@]}"; do
    name=resto.golive.$(basename "$module" .py)
    ANSIBLE_COLLECTIONS_PATH=$target ANSIBLE_CONFIG=$settings ansible-doc -t module "$name" >/dev/null || die "$name has no documentation in the artefact"
done
(cd "$out" && ANSIBLE_COLLECTIONS_PATH=$target ANSIBLE_CONFIG=$settings ansible-playbook -i localhost, --syntax-check resto.golive.golive >/dev/null)
say "$(wc -l <"$listing") files, ${#modules[@]} modules found by name"

#!/usr/bin/env bash
# A copy of the working tree (what git would keep, nothing it ignores; not the lab, which is not part of the collection) where ansible-test and the build want it; prints where it lies.
source "$(dirname "$0")/lib.sh"

tree=build/ansible_collections/resto/golive
mkdir -p "$tree"
# ansible-test keeps its virtual environments in tests/output; everything else is new.
find "$tree" -mindepth 1 -maxdepth 1 ! -name tests -exec rm -rf {} +
find "$tree/tests" -mindepth 1 -maxdepth 1 ! -name output -exec rm -rf {} + 2>/dev/null || true
git ls-files -z --cached --others --exclude-standard -- ':!collections' ':!staging' ':!prod' ':!lab' ':!inventories/staging/host_vars' |
    while IFS= read -r -d '' path; do [[ -e $path || -L $path ]] && printf '%s\0' "$path"; done |
    tar --create --null --files-from=- --file=- | tar --extract --directory="$tree" --file=-
# A repository of its own, or ansible-test asks the one around it, which ignores build/ and so has nothing to test.
git -C "$tree" init -q
git -C "$tree" add --all
printf '%s\n' "$tree"

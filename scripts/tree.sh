#!/usr/bin/env bash
# A copy of the working tree (what git would keep, nothing it ignores) where ansible-test and the build want it; prints where it lies.
source "$(dirname "$0")/lib.sh"

tree=build/ansible_collections/resto/golive
mkdir -p "$tree"
# ansible-test keeps its results between runs; everything else is new.
find "$tree" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard -- ':!collections' ':!staging' ':!prod' |
    while IFS= read -r -d '' path; do [[ -e $path || -L $path ]] && printf '%s\0' "$path"; done |
    tar --create --null --files-from=- --file=- | tar --extract --directory="$tree" --file=-
printf '%s\n' "$tree"

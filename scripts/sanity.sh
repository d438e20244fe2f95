#!/usr/bin/env bash
# ansible-test sanity without containers. Arguments are handed on: scripts/sanity.sh --test validate-modules
source "$(dirname "$0")/lib.sh"

tree=$(scripts/tree.sh)
python=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# A home of its own: ansible-test keeps virtual environments and a bootstrap script there. pip's settings and cache stay the user's.
home="$ROOT/build/home"
mkdir -p "$home/.config" "$home/.cache" "$home/.ansible/test/cache" "$HOME/.cache/pip"
for shared in .config/pip .pip .cache/pip; do
    if [[ -e $HOME/$shared ]]; then ln -sfn "$HOME/$shared" "$home/$shared"; fi
done

# It would fetch get-pip.py from its own site; the pip that Python carries serves as well and needs no site.
version=$(python -c '
import ansible_test
from pathlib import Path
text = (Path(ansible_test.__path__[0]) / "_internal" / "python_requirements.py").read_text()
import re
print(re.search(r"pip=\W*([0-9.]+)", text[text.index("def get_venv_packages"):]).group(1))
')
cat >"$home/.ansible/test/cache/get_pip_${version//./_}.py" <<'STANDIN'
"""In the place of get-pip.py: the pip that this Python carries."""
import ensurepip

ensurepip.bootstrap()
STANDIN

log="$LOGS/sanity.log"
say "ansible-test sanity for Python $python; all of it is in ${log#"$ROOT"/}"
(cd "$tree" && HOME=$home ansible-test sanity --venv --python "$python" --color no "$@") >"$log" 2>&1 || {
    grep -E '^(ERROR|FATAL): ' "$log" >&2
    exit 1
}
# It calls it a success when it finds nothing to test.
ran=$(grep -c '^Running sanity test' "$log" || true)
if ((ran == 0)) || grep -q "All targets skipped" "$log"; then
    die "ansible-test found nothing to test"
fi
say "$ran sanity tests passed"

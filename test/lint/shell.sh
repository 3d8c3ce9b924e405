#!/usr/bin/env bash
# Shell programs parse, stop at unset variables, and please shellcheck where it is installed.
set -euo pipefail
rc=0
while IFS= read -r file; do
	if ! head -n 1 "$file" | grep -q 'bash$' && [[ $file != *.sh ]]; then continue; fi
	bash -n "$file" || rc=1
	if head -n 1 "$file" | grep -q '^#!' && ! grep -q '^set -[a-z]*u' "$file"; then
		echo "$file: no \"set -u\" (better: set -euo pipefail)"
		rc=1
	fi
	if command -v shellcheck >/dev/null; then shellcheck -x -S warning -e SC2034 "$file" || rc=1; fi
done < <(find scripts .ci test -type f ! -path '*/tmp_check/*' ! -name '*.pl' ! -name '*.pm' -exec grep -lI . {} +)
exit $rc

"""Fails on a `# noqa` or `# type: ignore` that names no rule, or a `# noqa` that gives no reason.

python -m tests.noqa_reasons
"""

import re
import subprocess
import sys

BARE = re.compile(r"#\s*(?:noqa(?!:\s*[A-Z]+\d)|type:\s*ignore(?!\[))")
NO_REASON = re.compile(r"#\s*noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*\s*$")


def complaints(path: str, text: str) -> list[str]:
    """Lines whose suppression does not say what or why."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if BARE.search(line):
            found.append(f"{path}:{number}: name the rule that is suppressed")
        elif NO_REASON.search(line):
            found.append(f"{path}:{number}: give the reason after the rule, in parentheses")
    return found


def main() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True)
    found = []
    for path in listed.stdout.split():
        if path != "tests/noqa_reasons.py":
            with open(path, encoding="utf-8") as file:
                found += complaints(path, file.read())
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()

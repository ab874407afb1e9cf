#!/usr/bin/env bash
# Checks what the build needs from the system and says in one sentence what is missing. Usage: check_prerequisites.sh PYTHON
set -euo pipefail

stop() {
  echo "prerequisite missing: $1" >&2
  exit 1
}

python=$1
compiler=${CXX:-g++}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
  stop "Linux on x86-64 is needed, this is $(uname -s) on $(uname -m)."
command -v "$python" >/dev/null ||
  stop "there is no '$python'; install Python 3.11 or later, or name one: make PYTHON=/path/to/python3.11 ..."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  stop "'$python' is $("$python" --version 2>&1), 3.11 or later is needed; name one: make PYTHON=/path/to/python3.11 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  stop "'$python' cannot create virtual environments; on Debian and Ubuntu: apt-get install python3-venv"
"$python" -c 'import pathlib, sysconfig, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' ||
  stop "the headers of '$python' are not installed; on Debian and Ubuntu: apt-get install python3-dev"
command -v "$compiler" >/dev/null ||
  stop "there is no C++ compiler '$compiler'; on Debian and Ubuntu: apt-get install g++ (12 or later)"
if [ "$compiler" = g++ ]; then
  version=$(g++ -dumpversion)
  [ "${version%%.*}" -ge 12 ] || stop "g++ $version is too old, 12 or later is needed; select another one with CXX=g++-12"
fi
free=$(df --output=avail --block-size=1G . | tail -n 1)
[ "$free" -ge 6 ] || stop "6 GB of free disk space are needed here, there are $free GB."

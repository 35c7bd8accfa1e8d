#!/bin/sh
# Make the environment that FER Lab runs in, or bring it up to date: deploy/setup.sh VENV LOCK (a file of locks/).
# PYTHON names the interpreter, else the newest of Python 3.14 to 3.11 that has venv and pip is taken. TORCH=cpu takes
# PyTorch's CPU build, a tenth of the size of the CUDA build. PORT, where given, must be free. `make` calls it; it ends at
# once where all is there.
set -eu
venv=$1 lock=$2
torch=${TORCH:-$(cat "$venv/.torch" 2>/dev/null || echo cuda)}
stamp="$venv/.installed-$(basename "$lock" .txt)"
state="$torch $(cat locks/torch.txt "$lock" | cksum)"
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then exit; fi

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

suits() { # an interpreter of a version that the locks are for
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() {
    found=
    for python in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        suits "$python" || continue
        found=${found:-$python}
        if "$python" -c 'import ensurepip, venv' 2>/dev/null; then return; fi
    done
    if [ -z "$found" ]; then
        fail "FER Lab needs Python 3.11, 3.12, 3.13 or 3.14; found none as ${PYTHON:-python3.14 ... python3.11, python3}." \
            "Install one (Debian and Ubuntu: sudo apt install python3-venv), or name it: make PYTHON=/path/to/python ..."
    fi
    version=$("$found" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    fail "FER Lab needs Python's venv and pip; $found is there without them." \
        "Debian and Ubuntu: sudo apt install $version-venv, then the same command again."
}

case $torch in
    cuda) size="3.3 GB, and unpacked 6.5 GB" needed=14 ;;
    cpu) size="0.6 GB, and unpacked 2 GB" needed=4 ;;
    *) fail "TORCH must be cpu or cuda; got $torch." ;;
esac

"$venv/bin/python" -m pip --version >/dev/null 2>&1 || rm -rf "$venv" # what was left half made
if [ ! -d "$venv" ]; then
    find_python
    if [ -n "${PORT:-}" ]; then
        "$python" -c 'import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))' "$PORT" 2>/dev/null ||
            fail "Port $PORT is taken. Name another: make app PORT=8502"
    fi
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
    if [ "$free" -lt "$needed" ]; then
        fail "The installation needs $needed GB on the disk for a while; $free GB are free in $(pwd). Make room first."
    fi
    echo "Installing FER Lab with $("$python" --version): about $size of packages, a few minutes."
    if [ "$torch" = cuda ] && [ ! -e /dev/nvidiactl ] && ! command -v nvidia-smi >/dev/null; then
        echo "No NVIDIA driver was found here. PyTorch's CPU build is a tenth of the size: Ctrl-C, then TORCH=cpu make ..."
    fi
    "$python" -m venv "$venv" || { rm -rf "$venv"; fail "No environment could be made in $venv (see above)."; }
fi

install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps "$@" || fail "" \
        "The installation did not end; pip says why above. Often it is the network, or a full disk ($(df -Ph . |
            awk 'NR == 2 { print $4 }') free)." "The same command continues where it ended."
}

if [ "$torch" = cpu ]; then
    install --index-url https://download.pytorch.org/whl/cpu $(grep -E '^torch(vision)?==' requirements.txt)
else
    install --require-hashes -r locks/torch.txt
fi
install --require-hashes -r "$lock"
echo "$torch" >"$venv/.torch"
echo "$state" >"$stamp"

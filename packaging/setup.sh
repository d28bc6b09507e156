#!/bin/sh
# Installs what is missing, and nothing when nothing is: Debian packages (with sudo if need be), then the virtual
# environment. Usage: packaging/setup.sh run|test. Asks nothing; a second run takes well under a second.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-run}
venv=${VENV:-.venv}
python=${PYTHON:-python3}

# libsane and its tools; libtiff writes TIFF, libturbojpeg JPEG, libjbig JBIG; the compiler and headers build python-sane.
packages="ca-certificates gcc libc6-dev libsane1 libsane-dev sane-utils libtiff6 libturbojpeg0 libjbig0"
# Foreign readers and writers of images and documents, against which the tests and benchmarks compare; networks of the
# tests' own, foreign clients for the console's endpoint, and what decodes their traffic.
more="libtiff-tools netpbm libjpeg-turbo-progs jbigkit-bin libopenjp2-tools pngcheck exiv2 libimage-exiftool-perl"
more="$more poppler-utils qpdf mupdf-tools libgxps-utils unzip iproute2 procps"
more="$more sane-airscan avahi-daemon dbus wsdd tshark"
[ "$purpose" = run ] || packages="$packages $more"

say() { printf '%s\n' "$*" >&2; }

missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if ! command -v "$python" >/dev/null 2>&1 || ! "$python" - 2>/dev/null <<'CHECK'
import ensurepip, os, sysconfig, venv
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
CHECK
then
    missing="$missing python3 python3-venv python3-dev"
fi
if [ -n "$missing" ]; then
    say "Installing Debian packages:$missing"
    sudo=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || {
            say "Needs root to install them: run as root, or install sudo."
            exit 2
        }
        sudo="sudo env DEBIAN_FRONTEND=noninteractive"
    fi
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    $sudo apt-get -qq update && $sudo apt-get -qq install -y --no-install-recommends $missing >/dev/null || {
        say "apt-get failed: see above; afterwards run this again."
        exit 2
    }
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    say "$python is older than 3.11: use Debian 12 or newer, or set PYTHON=…"
    exit 2
}

# The environment is as good as the two files that describe it, the interpreter that made it and its place.
wanted="$(cat pyproject.toml packaging/constraints.txt | cksum) $("$python" -V) $(pwd)"
if [ "$(cat "$venv/.made-of" 2>/dev/null || true)" != "$wanted" ]; then
    say "Making the virtual environment $venv"
    # --upgrade keeps what fits; an environment of another Python or place is made anew
    [ "$("$venv/bin/python" -V 2>/dev/null || true)" = "$("$python" -V)" ] || rm -rf "$venv"
    "$python" -m venv "$venv"
    PIP_CONSTRAINT="$(pwd)/packaging/constraints.txt" "$venv/bin/python" -m pip install \
        --quiet --disable-pip-version-check --no-input -e '.[dev]'
    printf '%s' "$wanted" >"$venv/.made-of"
fi

# The simulated scanner is a C library; this is quick when it is there already.
"$venv/bin/python" -m dsm_sim.sane_backend

